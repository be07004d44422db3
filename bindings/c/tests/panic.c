/*
 * A defect inside is caught: needs the library built with its feature `test-panic`, which exports one function more.
 */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t electrus_test_panic(char **result);

static void a_panic_becomes_a_status_with_its_message(void)
{
    char *result = NULL, *message = NULL, *name = NULL;
    STATUS(ELECTRUS_E_PANIC, electrus_test_panic(&result));
    CHECK(integer(result, "/error/code") == ELECTRUS_E_PANIC);
    STATUS(ELECTRUS_OK, electrus_result_text(result, "/error/name", &name));
    STATUS(ELECTRUS_OK, electrus_result_text(result, "/error/message", &message));
    CHECK(name && strcmp(name, "panic") == 0);
    CHECK(message && strstr(message, "forced by a test") != NULL);
    printf("    %s\n", result);
    electrus_free(name);
    electrus_free(message);
    electrus_free(result);
}

static void a_panic_needs_no_place_for_its_result(void)
{
    STATUS(ELECTRUS_E_PANIC, electrus_test_panic(NULL));
}

static void *panic_often(void *given)
{
    (void)given;
    for (int i = 0; i < 200; i++)
        STATUS(ELECTRUS_E_PANIC, electrus_test_panic(NULL));
    return NULL;
}

static void panics_of_many_threads_are_caught(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        MUST(pthread_create(&threads[i], NULL, panic_often, NULL) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void the_library_goes_on_working(void)
{
    char *base = new_folder(), *result = NULL;
    electrus_handler *handler = open_handler(base, NULL);
    electrus_lock *lock = NULL;
    STATUS(ELECTRUS_OK, electrus_handler_lock(handler, "b.txt", NULL, &lock, NULL));
    STATUS(ELECTRUS_E_PANIC, electrus_test_panic(NULL));
    write_text(handler, "a.txt", "written after a panic", NULL);
    CHECK(holds_text(handler, "a.txt", "written after a panic"));
    STATUS(ELECTRUS_OK, electrus_lock_show(lock, NULL));
    STATUS(ELECTRUS_OK, electrus_lock_release(lock, NULL));
    STATUS(ELECTRUS_OK, electrus_handler_verify(handler, NULL, &result));
    CHECK(integer(result, "/ok") == 1);
    electrus_free(result);
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
    free(base);
}

int main(void)
{
    test("a panic becomes a status with its message", a_panic_becomes_a_status_with_its_message);
    test("a panic needs no place for its result", a_panic_needs_no_place_for_its_result);
    test("panics of many threads are caught", panics_of_many_threads_are_caught);
    test("the library goes on working", the_library_goes_on_working);
    test("nothing is open afterwards", check_nothing_is_open);
    return finish();
}
