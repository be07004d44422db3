/* One call of a conformance case, between the runner and the adapters that are made from abi/functions.json. */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "exact.h"

#include <electrus.h>

enum { TAKEN = 8 };

struct call {
    const char *operation;
    struct json_object *request; /* what is left of it: arguments are taken out */
    const electrus_bytes *contents;
    size_t contents_count;

    /* Where it runs. */
    electrus_handler *handler;
    electrus_versions *versions;
    electrus_json *json;
    electrus_backup *backup;

    /* What came out: one block, and whether a function gave one content by itself, outside of the JSON. */
    electrus_bytes *outputs;
    size_t outputs_count;
    electrus_bytes content;
    bool content_apart;

    /* The function has no way to say this request (a number for a name, say); the general one has. */
    bool unfit;

    void *taken[TAKEN];
    int taken_count;
};

/* Each takes one argument out of the request. A missing one is NULL, as a C program would leave it out. */
const char *take_path(struct call *call, const char *key);
const char *take_text(struct call *call, const char *key);
const char *take_json(struct call *call, const char *key);
uint64_t take_version(struct call *call, const char *key);
electrus_bytes take_content(struct call *call, const char *key);

/* What is left is the options. `contents`: whether the function takes a list of contents. */
const char *take_options(struct call *call, bool contents);

struct adapter {
    const char *operation;
    const char *function;
    int32_t (*run)(struct call *call, char **result);
};

/* Made by adapters.py; ends with an operation of NULL. */
extern const struct adapter adapters[];

#endif
