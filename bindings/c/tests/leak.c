/*
 * The other way round: leaks a result, a content and memory on purpose. A leak checker must say so, or its silence about
 * the other programs would mean nothing.
 */
#include "check.h"

#include <stdio.h>
#include <string.h>

static void leak(void)
{
    char *base = new_folder();
    electrus_handler *handler = open_handler(base, NULL);
    char *result = NULL;
    void *content = NULL;
    size_t length = 0;
    MUST(electrus_handler_write(handler, "a.txt", "precious", 8, NULL, &result) == ELECTRUS_OK);
    MUST(electrus_handler_read(handler, "a.txt", NULL, &content, &length, NULL) == ELECTRUS_OK);
    MUST(electrus_alloc(1000) != NULL);
    MUST(electrus_handler_close(handler, NULL) == ELECTRUS_OK);
}

/* So that no pointer to what is leaked stays on the stack. */
static void overwrite_the_stack(void)
{
    volatile char room[16384];
    memset((char *)room, 0, sizeof room);
}

int main(void)
{
    char *usage = NULL;
    leak();
    overwrite_the_stack();
    MUST(electrus_library_usage(&usage) == ELECTRUS_OK);
    printf("leaked on purpose: %s\n", usage);
    electrus_free(usage);
    finish();
    return 0;
}
