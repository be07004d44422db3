/* The least that a program can be which uses Electrus: it writes a file and reads it back. */

#include <electrus.h>

#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    electrus_handler *files = NULL;
    void *content = NULL;
    size_t size = 0;
    int good = 0;

    if (count != 2 || electrus_abi_version() != ELECTRUS_ABI_VERSION) return 2;
    if (electrus_handler_open(arguments[1], NULL, &files, NULL) != ELECTRUS_OK) return 1;
    if (electrus_handler_write(files, "notes.txt", "precious", 8, NULL, NULL) == ELECTRUS_OK &&
        electrus_handler_read(files, "notes.txt", NULL, &content, &size, NULL) == ELECTRUS_OK) {
        good = size == 8 && memcmp(content, "precious", 8) == 0;
    }
    electrus_free(content);
    electrus_handler_close(files, NULL);
    puts(good ? "good" : "bad");
    return good ? 0 : 1;
}
