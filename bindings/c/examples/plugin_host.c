/*
 * A host that runs its plug-ins in eight threads, all on one handler. Each keeps a file of its own, and all of them
 * count their work in one file that they share.
 *
 * It shows: that any thread may use a handler at any time; a lock over a read and the write that follows from it; that a
 * lock is its thread's (a second thread waits, rather than sharing it); closing the handler once for all.
 *
 *     plugin_host FOLDER
 */

#include <electrus.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 8
#define TIMES 5
#define SHARED "work.txt"

/* What a plug-in is to the host. */
struct plugin {
    const electrus_handler *files;
    int number;
    int32_t status;
};

static int32_t write_number(const electrus_handler *files, const char *path, int64_t number, const char *options) {
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRId64 "\n", number);
    return electrus_handler_write(files, path, text, (size_t)size, options, NULL);
}

/* A file that is not there yet holds 0. */
static int32_t read_number(const electrus_handler *files, const char *path, int64_t *number) {
    void *content = NULL;
    size_t size = 0;
    char text[32] = "";
    int32_t status = electrus_handler_read(files, path, NULL, &content, &size, NULL);
    *number = 0;
    if (status == ELECTRUS_E_NOT_FOUND) return ELECTRUS_OK;
    if (status != ELECTRUS_OK) return status;
    snprintf(text, sizeof text, "%.*s", (int)(size < 31 ? size : 31), (const char *)content);
    *number = strtoll(text, NULL, 10);
    electrus_free(content);
    return ELECTRUS_OK;
}

/* Reads, adds and writes under one lock, which the write is told of by its number. */
static int32_t count_work(const electrus_handler *files) {
    electrus_lock *lock = NULL;
    char options[64];
    int64_t number = 0;
    int32_t released, status = electrus_handler_lock(files, SHARED, "{\"timeout\": -1}", &lock, NULL);
    if (status != ELECTRUS_OK) return status;
    status = read_number(files, SHARED, &number);
    snprintf(options, sizeof options, "{\"lock\": %" PRIuPTR "}", (uintptr_t)lock);
    if (status == ELECTRUS_OK) status = write_number(files, SHARED, number + 1, options);
    released = electrus_lock_release(lock, NULL);
    return status != ELECTRUS_OK ? status : released;
}

static void *run(void *argument) {
    struct plugin *plugin = argument;
    char path[64];
    int i;
    snprintf(path, sizeof path, "plugins/%d/state.txt", plugin->number);
    for (i = 1; i <= TIMES && plugin->status == ELECTRUS_OK; i++) {
        plugin->status = write_number(plugin->files, path, i, NULL);
        if (plugin->status == ELECTRUS_OK) plugin->status = count_work(plugin->files);
    }
    return NULL;
}

int main(int count, char **arguments) {
    electrus_handler *files = NULL;
    struct plugin plugins[THREADS];
    pthread_t threads[THREADS];
    int64_t total = 0;
    int i, failed = 0;

    if (count != 2) {
        fputs("usage: plugin_host FOLDER\n", stderr);
        return 2;
    }
    if (electrus_handler_open(arguments[1], NULL, &files, NULL) != ELECTRUS_OK) return 1;
    for (i = 0; i < THREADS; i++) {
        plugins[i].files = files;
        plugins[i].number = i;
        plugins[i].status = ELECTRUS_OK;
        if (pthread_create(&threads[i], NULL, run, &plugins[i]) != 0) abort();
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (plugins[i].status == ELECTRUS_OK) continue;
        fprintf(stderr, "plug-in %d: %s\n", i, electrus_code_text(plugins[i].status));
        failed = 1;
    }
    if (read_number(files, SHARED, &total) != ELECTRUS_OK) failed = 1;
    printf("%d plug-ins did %" PRId64 " pieces of work\n", THREADS, total);
    return electrus_handler_close(files, NULL) != ELECTRUS_OK || failed;
}
