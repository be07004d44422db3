/*
 * A backup tool with a progress line, that Ctrl-C stops: then there is no backup, and nothing half done.
 *
 * It shows: an operation that runs beside the program (a task), how far it is, and cancelling it. The signal is waited
 * for, not handled: the library's functions are not for signal handlers.
 *
 *     backup_tool FOLDER NAME
 */

#define _POSIX_C_SOURCE 200809L

#include <electrus.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static sigset_t interrupts;

/* Waits a little for Ctrl-C. */
static int interrupted(void) {
    struct timespec a_little = {0, 100 * 1000 * 1000};
    return sigtimedwait(&interrupts, NULL, &a_little) == SIGINT;
}

static void show(const electrus_counts *counts) {
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " files, %" PRIu64 " MiB ", counts->files_done, counts->files_total,
            counts->bytes_done >> 20);
}

static int32_t fail(int32_t status, char *result) {
    fprintf(stderr, "%s\n", result != NULL ? result : electrus_code_text(status));
    electrus_free(result);
    return status;
}

/* Waits for the task and closes it. */
static int32_t watch(electrus_task *task) {
    electrus_counts counts = {0, 0, 0, 0};
    char *result = NULL;
    int64_t files = 0;
    int32_t status, done = 0;

    while (electrus_task_wait(task, 0, &done) == ELECTRUS_OK && !done) {
        electrus_task_poll(task, &counts, NULL);
        show(&counts);
        if (interrupted()) electrus_task_cancel(task);
    }
    electrus_task_poll(task, &counts, NULL);
    show(&counts);
    fputc('\n', stderr);

    status = electrus_task_finish(task, NULL, NULL, &result);
    if (status != ELECTRUS_OK) return fail(status, result);
    electrus_result_integer(result, "/file_count", &files);
    printf("backed up %" PRId64 " files\n", files);
    electrus_free(result);
    return ELECTRUS_OK;
}

/* The request as JSON. Names of backups need no escapes: those that would are refused by the library, but as another
 * error, so they are refused here. */
static int request(char *text, size_t size, const char *name) {
    const char *at;
    for (at = name; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') return 0;
    }
    return (size_t)snprintf(text, size, "{\"name\": \"%s\", \"list_files\": false}", name) < size;
}

static int32_t back_up(const electrus_handler *files, const char *name) {
    electrus_task *task = NULL;
    char text[512], *result = NULL;
    int32_t status = ELECTRUS_E_INVALID_NAME;
    if (request(text, sizeof text, name)) {
        status = electrus_task_start(files, "backup_create", text, NULL, 0, &task, &result);
    }
    if (status != ELECTRUS_OK) return fail(status, result);
    electrus_free(result);
    return watch(task);
}

int main(int count, char **arguments) {
    electrus_handler *files = NULL;
    char *result = NULL;
    int32_t status;
    if (count != 3) {
        fputs("usage: backup_tool FOLDER NAME\n", stderr);
        return 2;
    }
    /* Before the library starts its first thread, as threads take over what is blocked. */
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupts, NULL);

    status = electrus_handler_open(arguments[1], NULL, &files, &result);
    if (status != ELECTRUS_OK) {
        fail(status, result);
        return 1;
    }
    electrus_free(result);
    status = back_up(files, arguments[2]);
    electrus_handler_close(files, NULL);
    if (status == ELECTRUS_E_CANCELLED) puts("cancelled, no backup was made");
    return status == ELECTRUS_OK ? 0 : status == ELECTRUS_E_CANCELLED ? 130 : 1;
}
