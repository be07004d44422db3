#include "check.h"

#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS = 256, SAID_AT_MOST = 20 };

static int passes, failures;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int wrong; /* in the test that runs */
static char *folders[FOLDERS];
static int folder_count;
static pid_t owner; /* a forked child must not remove them */

bool check(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        pthread_mutex_lock(&guard);
        if (++wrong <= SAID_AT_MOST)
            printf("    %s:%d: not so: %s\n", file, line, what);
        pthread_mutex_unlock(&guard);
    }
    return holds;
}

bool check_status(int32_t expected, int32_t found, const char *what, const char *file, int line)
{
    if (expected == found)
        return true;
    char *words = print("%s\n        gave %s and not %s", what, electrus_code_name(found), electrus_code_name(expected));
    check(false, words, file, line);
    free(words);
    return false;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void remove_folders(void)
{
    if (owner != getpid())
        return;
    for (int i = 0; i < folder_count; i++) {
        nftw(folders[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(folders[i]);
    }
    folder_count = 0;
}

void must(bool holds, const char *what, const char *file, int line)
{
    if (check(holds, what, file, line))
        return;
    printf("    cannot go on\n");
    fflush(stdout);
    remove_folders();
    _exit(1);
}

void passed(void)
{
    passes++;
}

void failed(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    failures++;
    vprintf(format, arguments);
    va_end(arguments);
}

void test(const char *name, void (*run)(void))
{
    wrong = 0;
    double begin = now();
    run();
    if (wrong == 0)
        passed();
    else
        failures++;
    printf("%s  %s (%.1f s)\n", wrong ? "FAILED" : "ok    ", name, now() - begin);
    fflush(stdout);
}

int finish(void)
{
    remove_folders();
    printf("%d passed, %d failed\n", passes, failures);
    fflush(stdout);
    return failures ? 1 : 0;
}

char *print(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t size = (size_t)vsnprintf(NULL, 0, format, again) + 1;
    va_end(again);
    char *text = malloc(size);
    if (!text)
        abort();
    vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return text;
}

char *new_folder(void)
{
    const char *temp = getenv("TMPDIR");
    char *name = print("%s/electrus-c-XXXXXX", temp && *temp ? temp : "/tmp");
    MUST(mkdtemp(name) != NULL);
    char *real = realpath(name, NULL);
    MUST(real != NULL && folder_count < FOLDERS);
    free(name);
    owner = getpid();
    folders[folder_count++] = print("%s", real);
    return real;
}

void drop(char **result)
{
    electrus_free(*result);
    *result = NULL;
}

bool long_mode(void)
{
    const char *asked = getenv("ELECTRUS_LONG");
    return asked && strcmp(asked, "1") == 0;
}

long memory_kib(const char *field)
{
    char line[256];
    long found = -1;
    FILE *status = fopen("/proc/self/status", "r");
    size_t length = strlen(field);
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, field, length) == 0 && line[length] == ':')
            found = strtol(line + length + 1, NULL, 10);
    if (status)
        fclose(status);
    return found;
}

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int64_t integer(const char *result, const char *pointer)
{
    int64_t value = -1;
    return electrus_result_integer(result, pointer, &value) == ELECTRUS_OK ? value : -1;
}

void check_nothing_is_open(void)
{
    char *usage = NULL;
    STATUS(ELECTRUS_OK, electrus_library_usage(&usage));
    static const char *const kinds[] = {"handler", "lock",     "writer",      "reader",   "checksum", "backup",
                                        "json",    "versions", "transaction", "progress", "task"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/handles/%s", kinds[i]);
        CHECK(integer(usage, pointer) == 0);
    }
    CHECK(integer(usage, "/buffers") == 0); /* counted before the result itself was handed out */
    if (integer(usage, "/buffers") != 0)
        printf("    %s\n", usage);
    electrus_free(usage);
}

electrus_handler *open_handler(const char *base, const char *options)
{
    electrus_handler *handler = NULL;
    MUST(electrus_handler_open(base, options, &handler, NULL) == ELECTRUS_OK);
    return handler;
}

void write_text(electrus_handler *handler, const char *name, const char *text, const char *options)
{
    char *result = NULL;
    int32_t status = electrus_handler_write(handler, name, text, strlen(text), options, &result);
    if (!STATUS(ELECTRUS_OK, status))
        printf("    %s\n", result ? result : "");
    electrus_free(result);
}

bool holds_text(electrus_handler *handler, const char *name, const char *text)
{
    void *content = NULL;
    size_t length = 0;
    bool same = electrus_handler_read(handler, name, NULL, &content, &length, NULL) == ELECTRUS_OK &&
                length == strlen(text) && memcmp(content, text, length) == 0;
    electrus_free(content);
    return same;
}
