/*
 * What every test program here shares: tests by name, folders that go away, results that are checked and freed.
 *
 * A program lists its tests and ends with `return finish();`, which also asks the library that nothing was left open.
 */
#ifndef CHECK_H
#define CHECK_H

#include <electrus.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Notes a failure of the test that runs, says where, and goes on. Any thread may use it. */
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

/* That a call gave this status; if not, says both by their names. */
#define STATUS(expected, call) check_status((expected), (call), #call, __FILE__, __LINE__)

/* For what the test cannot go on without. */
#define MUST(condition) must((condition), #condition, __FILE__, __LINE__)

bool check(bool holds, const char *what, const char *file, int line);
bool check_status(int32_t expected, int32_t found, const char *what, const char *file, int line);
void must(bool holds, const char *what, const char *file, int line);

/* Runs a test, and prints whether it passed. */
void test(const char *name, void (*run)(void));

/* For programs that count on their own: one that passed or failed. */
void passed(void);
void failed(const char *format, ...);

/* Prints `N passed, N failed`; what main() returns. */
int finish(void);

/* That nothing is with the caller: no handle, no buffer. */
void check_nothing_is_open(void);

/* An empty folder, its path free of links. It is the caller's to free, and is removed by finish(). */
char *new_folder(void);

/* Printed into memory of its own, which the caller frees. */
char *print(const char *format, ...);

/* Forgets a result that is of no interest. */
void drop(char **result);

/* Whether the long modes are asked for: ELECTRUS_LONG=1. */
bool long_mode(void);

/* A field of /proc/self/status in KiB, as in memory_kib("VmHWM"). */
long memory_kib(const char *field);

/* Seconds on a clock that only goes forward. */
double now(void);

/* A whole number out of a result, or -1. */
int64_t integer(const char *result, const char *pointer);

/* Opens a handler, or ends the program. */
electrus_handler *open_handler(const char *base, const char *options);

/* Writes text under a name, or fails the test. */
void write_text(electrus_handler *handler, const char *name, const char *text, const char *options);

/* Whether a file holds this text now. */
bool holds_text(electrus_handler *handler, const char *name, const char *text);

#endif
