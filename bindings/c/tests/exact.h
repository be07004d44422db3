/*
 * JSON whose numbers keep their digits. json-c rounds what does not fit into 64 bits, and forgets how a number was
 * written; so a number is kept as a text that begins with a character which no JSON text can hold unescaped.
 */
#ifndef EXACT_H
#define EXACT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL if it is not JSON. */
struct json_object *exact_parse(const char *text);

/* A whole file. NULL if it cannot be read or is not JSON. */
struct json_object *exact_parse_file(const char *path);

/* As text, its numbers as they were; the caller frees it. */
char *exact_print(struct json_object *value);

/* A copy of it, the caller's. */
struct json_object *exact_copy(struct json_object *value);

/* The digits of a number, NULL for anything else. */
const char *exact_digits(struct json_object *value);

/* Whether it is a whole number from 0 of 64 bits, and which. */
bool exact_count(struct json_object *value, uint64_t *number);

/* A text of which no byte is zero, NULL for anything else. */
const char *exact_text(struct json_object *value);

/* The value of a key, NULL if there is none (or it is null). */
struct json_object *exact_get(struct json_object *object, const char *key);

/* Puts a text in place of another in every text of a value; the answer replaces the value. */
struct json_object *exact_replace(struct json_object *value, const char *from, const char *to);

/*
 * Whether everything that is expected is there: of objects the keys that are given, of lists every item, anything else
 * exactly. If not, the answer says what is wrong, and is the caller's to free; otherwise it is NULL.
 */
char *exact_missing(struct json_object *found, struct json_object *expected);

#endif
