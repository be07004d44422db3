/* Every export with its parameters, as matrix.py makes them from abi/functions.json and the header. */
#ifndef MATRIX_H
#define MATRIX_H

#include <electrus.h>
#include <stdbool.h>

enum handle_kind {
    HANDLER,
    LOCK,
    WRITER,
    READER,
    CHECKSUM,
    BACKUP,
    JSON,
    VERSIONS,
    TRANSACTION,
    PROGRESS,
    TASK,
    HANDLE_KINDS
};

enum kind {
    HANDLE,
    OPTIONS,    /* JSON, an object */
    DOCUMENT,   /* JSON of any kind */
    PATH,       /* any bytes */
    NAME,       /* UTF-8 */
    DATA,       /* bytes that go in; the length follows */
    CONTENTS,   /* a list of them; the count follows */
    BUFFER,     /* room for bytes; the length follows */
    LENGTH,     /* of the parameter before */
    NUMBER,     /* a version or an offset */
    SECONDS,
    CODE,
    SIZE,       /* of memory to get */
    MEMORY,     /* to give back */
    OUT_HANDLE, /* out-parameters: a handle, */
    OUT_MEMORY, /* something to give back by electrus_free(), */
    OUT_VALUE   /* or anything else */
};

enum null { NULL_IS_AN_ERROR, NULL_IF_EMPTY, NULL_IS_ALLOWED };

enum answer { STATUS_CODE, TEXT, PLAIN_NUMBER, OWNED_MEMORY, NOTHING };

struct parameter {
    const char *name;
    enum kind kind;
    enum handle_kind handle; /* of HANDLE and OUT_HANDLE */
    bool consumed;           /* the handle is gone afterwards */
    enum null null;
    size_t size;             /* of what an out-parameter points to */
};

struct option {
    const char *key, *type;
};

union argument {
    const void *pointer;
    uint64_t number;
    double seconds;
};

struct export {
    const char *name;
    enum answer answer;
    intptr_t (*call)(const union argument *arguments);
    const struct parameter *parameters; /* ends with a name of NULL */
    const struct option *options;       /* ends with a key of NULL */
};

/* Ends with a name of NULL. */
extern const struct export exports[];

#endif
