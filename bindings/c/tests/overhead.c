/* What a call costs that does no input or output: a table, and no verdict, as it depends on the machine. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static electrus_progress *progress;
static electrus_checksum *checksum;
static electrus_handler *handler;
static electrus_lock *lock;

static void code_name(void)
{
    electrus_code_name(ELECTRUS_E_NOT_FOUND);
}

static void invalid_handle(void)
{
    electrus_progress_cancel(NULL);
}

static void progress_read(void)
{
    electrus_counts counts;
    electrus_progress_read(progress, &counts);
}

static void checksum_update(void)
{
    electrus_checksum_update(checksum, NULL, 0, NULL);
}

static void alloc_and_free(void)
{
    electrus_free(electrus_alloc(64));
}

static void result_integer(void)
{
    int64_t value;
    electrus_result_integer("{\"size\":5,\"version\":12}", "/version", &value);
}

static void lock_show(void)
{
    char *result = NULL;
    electrus_lock_show(lock, &result);
    electrus_free(result);
}

static void lock_show_without_result(void)
{
    electrus_lock_show(lock, NULL);
}

static void option_error(void)
{
    char *result = NULL;
    electrus_handler_stat(handler, "a.txt", "{\"no_such_option\":1}", &result);
    electrus_free(result);
}

static void option_error_without_result(void)
{
    electrus_handler_stat(handler, "a.txt", "{\"no_such_option\":1}", NULL);
}

static void open_and_close(void)
{
    electrus_progress *one = NULL;
    electrus_progress_open(&one);
    electrus_progress_close(one);
}

struct row {
    const char *name;
    void (*call)(void);
    int calls; /* of the library in one */
};

static const struct row rows[] = {
    {"electrus_code_name", code_name, 1},
    {"electrus_progress_cancel of NULL", invalid_handle, 1},
    {"electrus_progress_read", progress_read, 1},
    {"electrus_checksum_update of 0 bytes", checksum_update, 1},
    {"electrus_alloc + electrus_free", alloc_and_free, 2},
    {"electrus_progress_open + electrus_progress_close", open_and_close, 2},
    {"electrus_result_integer", result_integer, 1},
    {"electrus_lock_show, no result wanted", lock_show_without_result, 1},
    {"electrus_lock_show + electrus_free", lock_show, 2},
    {"electrus_handler_stat, an unknown option, no result wanted", option_error_without_result, 1},
    {"electrus_handler_stat, an unknown option + electrus_free", option_error, 2},
};

/* The best of several rounds: others may use the machine. */
static double best_ns(void (*call)(void))
{
    enum { ROUNDS = 7, CALLS = 20000 };
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now();
        for (int i = 0; i < CALLS; i++)
            call();
        double each = (now() - begin) * 1e9 / CALLS;
        best = round == 0 || each < best ? each : best;
    }
    return best;
}

static void every_call_is_measured(void)
{
    printf("    %-62s %8s %8s\n", "", "ns", "ns/call");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double ns = best_ns(rows[i].call);
        printf("    %-62s %8.0f %8.0f%s\n", rows[i].name, ns, ns / rows[i].calls,
               ns / rows[i].calls < 300 ? "" : "  above the target of 300");
    }
}

int main(void)
{
    char *base = new_folder();
    handler = open_handler(base, NULL);
    MUST(electrus_progress_open(&progress) == ELECTRUS_OK);
    MUST(electrus_checksum_open(NULL, &checksum, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_lock(handler, "a.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    test("every call is measured", every_call_is_measured);
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    STATUS(ELECTRUS_OK, electrus_checksum_close(checksum, NULL));
    STATUS(ELECTRUS_OK, electrus_progress_close(progress));
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
