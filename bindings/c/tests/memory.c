/* Many mixed calls, and memory that stays flat. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static electrus_handler *handler;
static electrus_json *json;
static electrus_versions *versions;
static electrus_backup *backup;
static electrus_progress *progress;
static electrus_lock *lock;
static long calls;

/* Counts a call, and checks its status. */
#define CALL(expected, call) (calls++, STATUS(expected, call))

static void read_results(void)
{
    int64_t number = 0;
    size_t count = 0;
    char *text = NULL;
    static const char result[] = "{\"version\":7,\"files\":[1,2,3],\"name\":\"a.txt\"}";
    CALL(ELECTRUS_OK, electrus_result_integer(result, "/version", &number));
    CALL(ELECTRUS_OK, electrus_result_count(result, "/files", &count));
    CALL(ELECTRUS_OK, electrus_result_text(result, "/name", &text));
    electrus_free(text);
    CALL(ELECTRUS_E_POINTER_NOT_FOUND, electrus_result_text(result, "/none", &text));
}

static void make_errors(void)
{
    char *result = NULL;
    CALL(ELECTRUS_E_UNKNOWN_OPTION, electrus_handler_stat(handler, "a.txt", "{\"no_such_option\":1}", &result));
    drop(&result);
    CALL(ELECTRUS_E_INVALID_HANDLE, electrus_handler_stat((electrus_handler *)progress, "a.txt", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_E_NOT_FOUND, electrus_handler_stat(handler, "none.txt", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_E_PATH_ESCAPE, electrus_handler_stat(handler, "../x", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_E_INVALID_JSON, electrus_json_set(json, "a.json", "/a", "{", NULL, &result));
    drop(&result);
}

static void use_handles(void)
{
    electrus_checksum *checksum = NULL;
    electrus_transaction *transaction = NULL;
    electrus_progress *one = NULL;
    electrus_counts counts;
    char *result = NULL;
    uint64_t owner = 0;
    CALL(ELECTRUS_OK, electrus_checksum_open(NULL, &checksum, NULL));
    CALL(ELECTRUS_OK, electrus_checksum_update(checksum, "abc", 3, NULL));
    CALL(ELECTRUS_OK, electrus_checksum_finish(checksum, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_transaction_begin(handler, NULL, &transaction, NULL));
    CALL(ELECTRUS_OK, electrus_transaction_write(transaction, "a.txt", "abc", 3, NULL, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_transaction_abort(transaction, NULL));
    CALL(ELECTRUS_OK, electrus_progress_open(&one));
    CALL(ELECTRUS_OK, electrus_progress_read(one, &counts));
    CALL(ELECTRUS_OK, electrus_progress_close(one));
    CALL(ELECTRUS_OK, electrus_owner_create(&owner));
    CALL(ELECTRUS_OK, electrus_lock_show(lock, &result));
    drop(&result);
    electrus_free(electrus_alloc(1000));
    calls += 2;
}

static void read_files(void)
{
    electrus_reader *reader = NULL;
    char *result = NULL, buffer[8];
    void *content = NULL;
    size_t length = 0;
    CALL(ELECTRUS_OK, electrus_handler_stat(handler, "a.txt", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_handler_read(handler, "a.txt", NULL, &content, &length, &result));
    electrus_free(content);
    drop(&result);
    CALL(ELECTRUS_OK, electrus_json_get(json, "a.json", "/a", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_versions_list(versions, "a.txt", NULL, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_backup_list(backup, NULL, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_handler_reader(handler, "a.txt", "{\"version\":1}", &reader, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_reader_read(reader, buffer, sizeof buffer, &length, NULL));
    CALL(ELECTRUS_OK, electrus_reader_close(reader, NULL));
}

static void change_files(void)
{
    static const char quick[] = "{\"durability\":\"none\",\"create_version\":false}";
    electrus_writer *writer = NULL;
    electrus_task *task = NULL;
    electrus_bytes *outputs = NULL, contents = {"abc", 3};
    size_t count = 0;
    char *result = NULL;
    CALL(ELECTRUS_OK, electrus_handler_write(handler, "b.txt", "abc", 3, quick, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_json_set(json, "b.json", "/a", "2", quick, &result));
    drop(&result);
    CALL(ELECTRUS_OK, electrus_handler_writer(handler, "c.txt", quick, &writer, NULL));
    CALL(ELECTRUS_OK, electrus_writer_write(writer, "abc", 3, NULL));
    CALL(ELECTRUS_OK, electrus_writer_abort(writer, NULL));
    CALL(ELECTRUS_OK, electrus_handler_call(handler, "read", "{\"path\":\"a.txt\"}", NULL, 0, &outputs, &count, &result));
    electrus_free(outputs);
    drop(&result);
    CALL(ELECTRUS_OK, electrus_task_start(handler, "write",
                                          "{\"path\":\"d.txt\",\"content\":0,\"durability\":\"none\",\"create_version\":false}",
                                          &contents, 1, &task, NULL));
    CALL(ELECTRUS_OK, electrus_task_finish(task, &outputs, &count, &result));
    electrus_free(outputs);
    drop(&result);
}

/* One round of everything; files are read less often, and changed less often than that. */
static void round_of_calls(long round)
{
    read_results();
    make_errors();
    use_handles();
    if (round % 4 == 0)
        read_files();
    if (round % 64 == 0)
        change_files();
}

static void memory_stays_flat(void)
{
    long wanted = long_mode() ? 1000000 : 200000, warm = wanted / 5;
    long round = 0, before = 0;
    for (; calls < wanted; round++) {
        if (!before && calls >= warm)
            before = memory_kib("VmRSS");
        round_of_calls(round);
    }
    long after = memory_kib("VmRSS");
    printf("    %ld calls: %ld KiB after the first %ld, %ld KiB at the end\n", calls, before, warm, after);
    CHECK(after - before < 1024);
}

int main(void)
{
    char *base = new_folder();
    handler = open_handler(base, NULL);
    write_text(handler, "a.txt", "content", NULL);
    write_text(handler, "a.json", "{\"a\":1}", NULL);
    write_text(handler, "b.json", "{\"a\":1}", NULL);
    MUST(electrus_handler_json(handler, &json, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_versions(handler, &versions, NULL) == ELECTRUS_OK);
    MUST(electrus_handler_backup(handler, &backup, NULL) == ELECTRUS_OK);
    MUST(electrus_progress_open(&progress) == ELECTRUS_OK);
    MUST(electrus_handler_lock(handler, "held.txt", NULL, &lock, NULL) == ELECTRUS_OK);
    test("memory stays flat over mixed calls", memory_stays_flat);
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    STATUS(ELECTRUS_OK, electrus_progress_close(progress));
    STATUS(ELECTRUS_OK, electrus_backup_close(backup, NULL));
    STATUS(ELECTRUS_OK, electrus_versions_close(versions, NULL));
    STATUS(ELECTRUS_OK, electrus_json_close(json, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
