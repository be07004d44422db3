/* What once went wrong at the boundary, each as the story of a program that met it. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 9 << 20 };

static char *base;
static electrus_handler *handler;

static char *with(const char *key, const void *handle)
{
    return print("{\"%s\":%zu}", key, (size_t)(uintptr_t)handle);
}

/* A task that had come to its end cancelled all others that shared its progress. */
static void the_end_of_a_task_leaves_others_alone(void)
{
    electrus_progress *progress = NULL;
    electrus_task *task = NULL;
    MUST(electrus_progress_open(&progress) == ELECTRUS_OK);
    char *options = with("progress", progress);
    STATUS(ELECTRUS_OK, electrus_task_start(handler, "verify", options, NULL, 0, &task, NULL));
    STATUS(ELECTRUS_OK, electrus_task_finish(task, NULL, NULL, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_verify(handler, options, NULL));
    electrus_progress_close(progress);
    free(options);
}

/* A writer that was cancelled between two pieces could be committed, and half of the content took the name. */
static void what_was_cancelled_half_way_takes_no_name(void)
{
    electrus_progress *progress = NULL;
    electrus_writer *writer = NULL;
    char *path = print("%s/half", base);
    MUST(electrus_progress_open(&progress) == ELECTRUS_OK);
    char *options = with("progress", progress);
    STATUS(ELECTRUS_OK, electrus_writer_open(path, options, &writer, NULL));
    STATUS(ELECTRUS_OK, electrus_writer_write(writer, "first", 5, NULL));
    electrus_progress_cancel(progress);
    STATUS(ELECTRUS_E_CANCELLED, electrus_writer_write(writer, "second", 6, NULL));
    STATUS(ELECTRUS_E_IO, electrus_writer_commit(writer, NULL));
    CHECK(access(path, F_OK) != 0);
    electrus_progress_close(progress);
    free(options);
    free(path);
}

/* Lending a lock once more closed the descriptor of whoever had been lent it before. */
static void a_lock_is_lent_the_same_way_to_all(void)
{
    electrus_lock *lock = NULL;
    char *first = NULL, *second = NULL;
    STATUS(ELECTRUS_OK, electrus_handler_lock(handler, "lent", NULL, &lock, NULL));
    STATUS(ELECTRUS_OK, electrus_lock_lend(lock, &first));
    STATUS(ELECTRUS_OK, electrus_lock_lend(lock, &second));
    if (CHECK(first && second)) {
        int descriptor = -1;
        char *value = NULL;
        CHECK(strcmp(first, second) == 0);
        STATUS(ELECTRUS_OK, electrus_result_text(first, "/value", &value));
        CHECK(value && sscanf(value, "%d:", &descriptor) == 1 && fcntl(descriptor, F_GETFD) >= 0);
        drop(&value);
    }
    drop(&first);
    drop(&second);
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
}

static void *wait_for_the_end(void *task)
{
    return (void *)(intptr_t)electrus_task_finish(task, NULL, NULL, NULL);
}

/* Whoever waited for a task had taken its handle away from those who could cancel it. */
static void a_task_that_is_waited_for_can_be_cancelled(void)
{
    electrus_lock *lock = NULL;
    electrus_task *task = NULL;
    pthread_t waiter;
    void *status = NULL;
    uint64_t owner = 0;
    STATUS(ELECTRUS_OK, electrus_handler_lock(handler, "held", NULL, &lock, NULL));
    MUST(electrus_owner_create(&owner) == ELECTRUS_OK);
    char *request = print("{\"path\":\"held\",\"content\":0,\"timeout\":-1,\"owner\":%llu}", (unsigned long long)owner);
    electrus_bytes content = {"x", 1};
    STATUS(ELECTRUS_OK, electrus_task_start(handler, "write", request, &content, 1, &task, NULL));
    MUST(pthread_create(&waiter, NULL, wait_for_the_end, task) == 0);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    STATUS(ELECTRUS_OK, electrus_task_poll(task, NULL, NULL));
    STATUS(ELECTRUS_OK, electrus_task_cancel(task));
    pthread_join(waiter, &status);
    STATUS(ELECTRUS_E_CANCELLED, (int32_t)(intptr_t)status);
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    free(request);
}

/* One large file that changed while it was handed over took the results of the whole batch with it. */
static void a_read_of_a_batch_fails_alone(void)
{
    static char large[LARGE];
    electrus_task *task = NULL;
    electrus_bytes *outputs = NULL, small = {"small", 5};
    size_t count = 0;
    int32_t done = 0;
    char *result = NULL, *status = NULL, *path = print("%s/large", base);
    memset(large, 'a', LARGE);
    STATUS(ELECTRUS_OK, electrus_handler_write(handler, "large", large, LARGE, "{\"create_version\":false}", NULL));
    const char *request = "{\"operations\":[{\"type\":\"write\",\"path\":\"small\",\"content\":0},"
                          "{\"type\":\"read\",\"path\":\"large\"}]}";
    STATUS(ELECTRUS_OK, electrus_task_start(handler, "batch", request, &small, 1, &task, NULL));
    STATUS(ELECTRUS_OK, electrus_task_wait(task, 60, &done));
    int file = open(path, O_WRONLY);
    CHECK(file >= 0 && pwrite(file, "b", 1, 8 << 20) == 1 && close(file) == 0);
    STATUS(ELECTRUS_OK, electrus_task_finish(task, &outputs, &count, &result));
    if (CHECK(result != NULL)) {
        STATUS(ELECTRUS_OK, electrus_result_text(result, "/results/0/status", &status));
        CHECK(status && strcmp(status, "success") == 0);
        drop(&status);
        CHECK(integer(result, "/results/1/error/code") == ELECTRUS_E_CHANGED_WHILE_READ);
    }
    electrus_free(outputs);
    drop(&result);
    free(path);
}

/* A part that was read, or a read that failed, moved the place where the next one went on. */
static void a_part_does_not_move_the_reader(void)
{
    electrus_reader *reader = NULL;
    char buffer[4] = "";
    size_t count = 0;
    write_text(handler, "digits", "0123456789", NULL);
    STATUS(ELECTRUS_OK, electrus_handler_reader(handler, "digits", "{\"version\":1}", &reader, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, 3, &count, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_read_at(reader, 8, buffer, 4, &count, NULL));
    CHECK(count == 2 && memcmp(buffer, "89", 2) == 0);
    STATUS(ELECTRUS_OK, electrus_reader_read_at(reader, INT64_MAX, buffer, 4, &count, NULL));
    CHECK(count == 0);
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, 2, &count, NULL));
    CHECK(count == 2 && memcmp(buffer, "34", 2) == 0);
    STATUS(ELECTRUS_OK, electrus_reader_close(reader, NULL));
}

/* A content in the options of a staged write was overridden without a word; options of the transaction were not looked at. */
static void what_a_transaction_does_not_take_is_told_at_once(void)
{
    electrus_transaction *transaction = NULL;
    STATUS(ELECTRUS_E_UNKNOWN_OPTION, electrus_transaction_begin(handler, "{\"tiemout\":1}", &transaction, NULL));
    STATUS(ELECTRUS_E_UNKNOWN_OPTION, electrus_transaction_begin(handler, "{\"operations\":[]}", &transaction, NULL));
    STATUS(ELECTRUS_OK, electrus_transaction_begin(handler, NULL, &transaction, NULL));
    STATUS(ELECTRUS_E_UNKNOWN_OPTION,
           electrus_transaction_write(transaction, "t", "x", 1, "{\"content\":5}", NULL));
    STATUS(ELECTRUS_OK, electrus_transaction_write(transaction, "t", "x", 1, NULL, NULL));
    STATUS(ELECTRUS_OK, electrus_transaction_commit(transaction, NULL));
    CHECK(holds_text(handler, "t", "x"));
}

/* Contents that a task copies, and that there is no room for, ended the program. */
static void contents_that_do_not_fit_are_an_error(void)
{
    electrus_task *task = NULL;
    /* Nothing of it is read: there is no room for so much, wherever it is. */
    electrus_bytes content = {"x", (size_t)1 << 62};
    STATUS(ELECTRUS_E_OUT_OF_MEMORY,
           electrus_task_start(handler, "write", "{\"path\":\"x\",\"content\":0}", &content, 1, &task, NULL));
    CHECK(task == NULL);
}

int main(void)
{
    base = new_folder();
    handler = open_handler(base, NULL);
    test("the end of a task leaves others with its progress alone", the_end_of_a_task_leaves_others_alone);
    test("what was cancelled half way takes no name", what_was_cancelled_half_way_takes_no_name);
    test("a lock is lent the same way to all", a_lock_is_lent_the_same_way_to_all);
    test("a task that is waited for can be cancelled", a_task_that_is_waited_for_can_be_cancelled);
    test("a read of a batch fails alone", a_read_of_a_batch_fails_alone);
    test("a part does not move the reader", a_part_does_not_move_the_reader);
    test("what a transaction does not take is told at once", what_a_transaction_does_not_take_is_told_at_once);
    test("contents that do not fit are an error", contents_that_do_not_fit_are_an_error);
    MUST(electrus_handler_close(handler, NULL) == ELECTRUS_OK);
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
