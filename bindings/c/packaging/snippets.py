#!/usr/bin/env python3
"""Compiles and runs what a README shows, so that it cannot show what does not work.

usage: snippets.py README FOLDER

A fenced block is run by what stands behind its language:
    ```c app.c          a whole program, written to that file
    ```c               a few lines: run in a main() where `files` is a handler on an empty folder (```cpp the same)
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
#include <string.h>
int main(void) {
    electrus_handler *files = NULL;
    if (electrus_handler_open(".", NULL, &files, NULL) != ELECTRUS_OK) return 1;
    {
%s
    }
    return electrus_handler_close(files, NULL);
}
"""
CPP_MAIN = """#include <electrus.hpp>
#include <iostream>
#include <vector>
int main() {
    electrus::handler files(".");
    {
%s
    }
    files.close();
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


def flags(kind):
    return subprocess.check_output(["pkg-config", kind, "electrus"], text=True).split()


def run(command, folder, **more):
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode != 0:
        raise RuntimeError(f"status {done.returncode}\n{done.stdout}")
    return done.stdout


def fragment(language, text, folder):
    """Lines in a main(), in a folder of their own."""
    main, suffix, compiler = LANGUAGES[language]
    source = os.path.join(folder, "fragment" + suffix)
    program = os.path.join(folder, "fragment")
    with open(source, "w", encoding="utf-8") as file:
        file.write(main % text)
    run([*compiler, *flags("--cflags"), "-o", program, source, *flags("--libs"), "-pthread"], folder)
    run([program], tempfile.mkdtemp(dir=folder))


def main():
    readme, folder = sys.argv[1:]
    passed = failed = 0
    printed = ""
    for line, language, about, text in blocks(readme):
        try:
            if language in LANGUAGES and about:
                with open(os.path.join(folder, about), "w", encoding="utf-8") as file:
                    file.write(text)
                continue
            if language in LANGUAGES:
                fragment(language, text, folder)
            elif (language, about) == ("sh", "run"):
                printed = run(["sh", "-e"], folder, input=text)
            elif (language, about) == ("text", "output"):
                if printed != text:
                    raise RuntimeError(f"it printed\n{printed}")
            else:
                continue
            passed += 1
        except RuntimeError as why:
            failed += 1
            print(f"FAILED: the block of line {line}: {why}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


main()
