/*
 * A log that several processes append to. Every line has a number, one more than the line before it, which takes a
 * lock: between reading the last number and writing the next, nobody else may write.
 *
 * It shows: a lock on a file that is otherwise used with stdio; waiting for it with a time-out; that the lock excludes
 * other processes, also those that use flock(1) on LOG.lock.
 *
 *     log_appender LOG WHO COUNT
 */

#define _POSIX_C_SOURCE 200809L

#include <electrus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number of the last line, 0 if there is none. Lines are shorter than 256 bytes, so that the end is enough. */
static long last_number(FILE *log) {
    char end[513];
    size_t size;
    char *line;
    if (fseek(log, -512, SEEK_END) != 0) rewind(log);
    size = fread(end, 1, sizeof end - 1, log);
    end[size] = '\0';
    if (size == 0) return 0;
    if (end[size - 1] == '\n') end[size - 1] = '\0';
    line = strrchr(end, '\n');
    return strtol(line != NULL ? line + 1 : end, NULL, 10);
}

/* Appends one line; the caller holds the lock. */
static int append(const char *path, const char *who) {
    FILE *log = fopen(path, "a+");
    int good;
    if (log == NULL) return 0;
    good = fprintf(log, "%ld %.100s\n", last_number(log) + 1, who) > 0;
    good = fflush(log) == 0 && fsync(fileno(log)) == 0 && good;
    return fclose(log) == 0 && good;
}

int main(int count, char **arguments) {
    long lines;
    if (count != 4) {
        fputs("usage: log_appender LOG WHO COUNT\n", stderr);
        return 2;
    }
    for (lines = strtol(arguments[3], NULL, 10); lines > 0; lines--) {
        electrus_lock *lock = NULL;
        char *result = NULL;
        int good;
        if (electrus_lock_acquire(arguments[1], "{\"timeout\": 60}", &lock, &result) != ELECTRUS_OK) {
            fprintf(stderr, "%s\n", result);
            electrus_free(result);
            return 1;
        }
        electrus_free(result);
        good = append(arguments[1], arguments[2]);
        electrus_lock_release(lock, NULL);
        if (!good) {
            perror(arguments[1]);
            return 1;
        }
    }
    return 0;
}
