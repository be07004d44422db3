// The least that a test needs: behaviours by name, checks that tell where they failed, temporary folders.

#ifndef ELECTRUS_TESTS_CHECK_HPP
#define ELECTRUS_TESTS_CHECK_HPP

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace check {

inline int passed = 0;
inline int failed = 0;

/// Runs one behaviour; whatever it throws makes it fail.
inline void that(const std::string &behaviour, const std::function<void()> &body) {
    try {
        body();
        passed++;
    } catch (const std::exception &why) {
        failed++;
        std::cout << "FAILED: " << behaviour << "\n    " << why.what() << "\n";
    }
}

/// The closing line, and the status of the program.
inline int done() {
    std::cout << passed << " passed, " << failed << " failed" << std::endl;
    return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

[[noreturn]] inline void fail(const std::string &why) { throw std::runtime_error(why); }

/// A folder that goes when this goes.
class folder {
public:
    folder() {
        std::string name = (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "electrus-XXXXXX").string();
        if (!mkdtemp(name.data())) fail("no temporary folder");
        path_ = name;
    }
    ~folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    folder(const folder &) = delete;
    folder &operator=(const folder &) = delete;
    const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline std::string slurp(const std::filesystem::path &file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) fail(file.string() + " cannot be read");
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(const std::filesystem::path &file, const std::string &content) {
    std::ofstream out(file, std::ios::binary);
    out << content;
    if (!out.flush()) fail(file.string() + " cannot be written");
}

} // namespace check

#define CHECK_TEXT(line) #line
#define CHECK_LINE(line) CHECK_TEXT(line)
/// What is said must hold.
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) check::fail(__FILE__ ":" CHECK_LINE(__LINE__) ": " #condition);                              \
    } while (false)
/// The expression must throw electrus::error with that code.
#define CHECK_THROWS(expression, expected)                                                                             \
    do {                                                                                                               \
        std::int32_t check_code = ELECTRUS_OK;                                                                         \
        try {                                                                                                          \
            static_cast<void>(expression);                                                                             \
        } catch (const electrus::error &why) {                                                                         \
            check_code = why.code();                                                                                   \
        }                                                                                                              \
        if (check_code != (expected))                                                                                  \
            check::fail(__FILE__ ":" CHECK_LINE(__LINE__) ": " #expression " gave " + std::to_string(check_code));     \
    } while (false)

#endif
