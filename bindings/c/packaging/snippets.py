#!/usr/bin/env python3
"""Compiles and runs what a README shows, so that it cannot show what does not work.

usage: snippets.py README FOLDER

A fenced block is run by what stands behind its language:
    ```c app.c          a whole program, written to that file
    ```c               a few lines, run where `files` is a handler on an empty folder (```cpp the same)
    ```sh run          commands, run in FOLDER, where the programs are
    ```text output     what the commands before must have printed
    ```sh, ```cmake …  shown only
"""

import os
import re
import subprocess
import sys
import tempfile

C_MAIN = """#include <electrus.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define FILES electrus_handler *files
{functions}
int main(int count, char **arguments) {
    electrus_handler *files = NULL;
    int status = 1;
    if (count != 2 || electrus_handler_open(".", NULL, &files, NULL) != ELECTRUS_OK) return 1;
    switch (atoi(arguments[1])) {{calls}}
    return electrus_handler_close(files, NULL) != ELECTRUS_OK || status != 0;
}
"""
CPP_MAIN = """#include <electrus.hpp>
#include <cstdlib>
#include <iostream>
#include <vector>
#define FILES const electrus::handler &files
{functions}
int main(int, char **arguments) {
    electrus::handler files(".");
    int status = 1;
    switch (std::atoi(arguments[1])) {{calls}}
    files.close();
    return status;
}
"""
LANGUAGES = {
    "c": (C_MAIN, ".c", [os.environ.get("CC", "cc"), "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]),
    "cpp": (CPP_MAIN, ".cpp", [os.environ.get("CXX", "c++"), "-std=c++17", "-pedantic", "-Wall", "-Wextra", "-Werror"]),
}


def blocks(readme):
    """Every fenced block: (line, language, what stands behind it, text)."""
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^```(\w+)[ ]?(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        yield line, match[1], match[2].strip(), match[3]


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}\n{done.stdout}")
    return done.stdout


def build(readme, folder, fragments):
    """One program of all fragments, which runs that of the line it is given."""
    language = fragments[0][1]
    main, suffix, compiler = LANGUAGES[language]
    functions = calls = ""
    for line, _, _, text in fragments:
        functions += f'static int of_line_{line}(FILES) {{\n#line {line + 1} "{os.path.basename(readme)}"\n{text}return 0;\n}}\n'
        calls += f"case {line}: status = of_line_{line}(files); break;"
    with open(os.path.join(folder, "fragments" + suffix), "w", encoding="utf-8") as file:
        file.write(main.replace("{functions}", functions).replace("{{calls}}", "{" + calls + "}"))
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "electrus"], text=True).split()
    run([*compiler, "-o", "fragments", "fragments" + suffix, *flags, "-pthread"], folder)


def steps(readme, folder):
    """What is to be run, in order: (what it is, function)."""
    found = list(blocks(readme))
    fragments = [block for block in found if block[1] in LANGUAGES and not block[2]]
    if fragments:
        yield "the fragments", lambda: build(readme, folder, fragments)
    printed = [""]

    def shell(text):
        printed[0] = run(["sh", "-e"], folder, input=text)

    def compare(text):
        if printed[0] != text:
            raise RuntimeError(f"it printed\n{printed[0]}")

    def fragment(line):
        run([os.path.join(folder, "fragments"), str(line)], tempfile.mkdtemp(dir=folder))

    for line, language, about, text in found:
        what = f"the block of line {line}"
        if language in LANGUAGES and about:
            with open(os.path.join(folder, about), "w", encoding="utf-8") as file:
                file.write(text)
        elif language in LANGUAGES:
            yield what, lambda line=line: fragment(line)
        elif (language, about) == ("sh", "run"):
            yield what, lambda text=text: shell(text)
        elif (language, about) == ("text", "output"):
            yield what, lambda text=text: compare(text)


def main():
    readme, folder = sys.argv[1:]
    passed = failed = 0
    for what, step in steps(readme, folder):
        try:
            step()
            passed += 1
        except (RuntimeError, OSError) as why:
            failed += 1
            print(f"FAILED: {what}: {why}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


main()
