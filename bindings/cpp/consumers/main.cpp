// The least that a program can be which uses Electrus from C++: it writes a file and reads it back.

#include <electrus.hpp>

#include <iostream>

int main(int count, char **arguments) {
    if (count != 2 || !electrus::abi_matches()) return 2;
    const electrus::handler files(arguments[1]);
    files.write("notes.txt", "precious");
    const bool good = files.read("notes.txt").text() == "precious";
    std::cout << (good ? "good" : "bad") << std::endl;
    return good ? 0 : 1;
}
