// Built with -fno-exceptions: the functions that give results are all that such a program needs.

#include <electrus.hpp>

#include <cstdio>

int main(int count, char **arguments) {
    int passed = 0, failed = 0;
    const auto check = [&](bool good, const char *behaviour) {
        if (!good) std::printf("FAILED: %s\n", behaviour);
        good ? passed++ : failed++;
    };
    if (count != 2) return 2;
    const auto files = electrus::handler::try_open(arguments[1]);
    check(files.has_value(), "a folder is opened");
    if (files) {
        check(files->try_write("a", "1").has_value(), "a file is written");
        const auto missing = files->try_read("missing");
        check(!missing && missing.error().code() == ELECTRUS_E_NOT_FOUND, "an error comes as a value");
        auto writer = files->try_writer("b");
        check(writer && writer->try_write("2") && writer->try_commit(), "a writer commits");
        const auto read = files->try_read("b");
        check(read && read->bytes.view().text() == "2", "what was written is read");
        auto lock = files->try_lock("a");
        check(lock && lock->try_release(), "a lock is taken and given back");
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
