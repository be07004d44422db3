// A notebook of one file that several people and programs write into at once.
//
// It shows: a change that is made only if nobody changed the file meanwhile, and else made again on what stands there
// now (so that nobody waits for anybody); errors as values where they are expected, exceptions where they are not;
// streams; history.
//
//     notes FOLDER add TEXT
//     notes FOLDER list
//     notes FOLDER undo

#include <electrus.hpp>

#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr const char *notebook = "notes.txt";
using electrus::options;

/// The notebook, and the condition that it is still the same.
struct state {
    std::string text;
    options unchanged;
};

state read(const electrus::handler &files) {
    auto found = files.try_read(notebook);
    if (found) return {found->text(), options{}.set("if_checksum", found->about.text("/checksum"))};
    if (found.error().code() == ELECTRUS_E_NOT_FOUND) return {"", options{}.set("if_absent", true)};
    throw found.error();
}

void add(const electrus::handler &files, std::string_view note) {
    for (;;) {
        const state now = read(files);
        const auto written = files.try_write(notebook, now.text + std::string(note) + "\n", now.unchanged);
        if (written) {
            std::cout << "version " << written->integer("/version") << "\n";
            return;
        }
        const auto code = written.error().code();
        if (code != ELECTRUS_E_CHANGED && code != ELECTRUS_E_ALREADY_EXISTS) throw written.error();
    }
}

void list(const electrus::handler &files) {
    electrus::reader_stream notes(files.reader(notebook));
    std::string line;
    for (int number = 1; std::getline(notes, line); number++) std::cout << number << ". " << line << "\n";
    if (notes.bad()) throw *notes.failed();
}

void undo(const electrus::handler &files) {
    const electrus::versions history = files.versions();
    const electrus::document versions = history.list(electrus::path(notebook));
    const auto count = versions.count("/versions");
    if (count < 2) throw std::runtime_error("there is nothing to undo");
    const auto number = versions.integer("/versions/" + std::to_string(count - 2) + "/version");
    history.restore(notebook, static_cast<std::uint64_t>(number));
    std::cout << "version " << number << " is back\n";
}

} // namespace

int main(int count, char **arguments) {
    const std::string_view verb = count > 2 ? arguments[2] : "";
    try {
        if (count == 4 && verb == "add") add(electrus::handler(arguments[1]), arguments[3]);
        else if (count == 3 && verb == "list") list(electrus::handler(arguments[1]));
        else if (count == 3 && verb == "undo") undo(electrus::handler(arguments[1]));
        else return std::cerr << "usage: notes FOLDER add TEXT | list | undo\n", 2;
    } catch (const std::exception &why) {
        std::cerr << why.what() << "\n";
        return 1;
    }
    return 0;
}
