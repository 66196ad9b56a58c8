// SPDX-License-Identifier: MIT
/* error.c – what a task remembers of its newest failure.
 *
 * Holds      one record per task, on the heap; who is told of failures nobody retrieved.
 * Invariant  a record does not change once somebody else can have it; who holds a share in it (the task it
 *            happened in, a future, whoever was given the failure, a group) gives it up once. Of failures
 *            that came together the first holds the next, and so on; only the first is shared.
 * Called by  user code (jg_fail), task.c and group.c (handing records on).
 * Why        failing is rare, so the record is allocated; without memory the code alone is kept, and
 *            no call fails because its reason could not be written down.
 */
#include "base/check.h"
#include "base/mem.h"
#include "task/task.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAUSES_MOST = 8,  // a chain longer than this loses its oldest, unless somebody else holds it
    OTHERS_NAMED = 3, // of the failures that came with one; the rest are counted
    OTHERS_TOLD = 20, // the same, on stderr
};

enum origin { OF_TASK, OF_CALL, OF_JOB };

struct error_record {
    atomic_uint shares; // a share may end on another thread
    jg_error error;     // its strings point into `own`, or at literals
    struct error_record *cause;
    struct error_record *next; // that came with it
    char *long_text;           // the whole of a text that is cut in `own`, or NULL
    char *summary;             // the text, and what came with it; NULL: nothing did, or no memory
    struct error_text own;
    enum origin origin; // what it happened in
};

static _Atomic(jg_error_report_fn *) report_to;

struct error_record *error_ref(struct error_record *record) {
    if (record != NULL) {
        atomic_fetch_add_explicit(&record->shares, 1, memory_order_relaxed);
    }
    return record;
}

/* Gives up a share. What is to be freed by that joins those of `dead`, linked by `next`. */
static void give_up(struct error_record *record, struct error_record **dead) {
    while (record != NULL &&
           atomic_fetch_sub_explicit(&record->shares, 1, memory_order_acq_rel) == 1) {
        struct error_record *next = record->next;
        record->next = *dead;
        *dead = record;
        record = next;
    }
}

void error_free(struct error_record *record) {
    struct error_record *dead = NULL;
    give_up(record, &dead);
    while (dead != NULL) {
        record = dead;
        dead = record->next;
        give_up(record->cause, &dead);
        mem_free(record->summary);
        mem_free(record->long_text);
        mem_free(record);
    }
}

const jg_error *error_public(const struct error_record *record) {
    return &record->error;
}

/* A record that says nothing yet. */
static struct error_record *alloc_record(void) {
    struct error_record *record = mem_alloc_zero(sizeof(*record));
    if (record != NULL) {
        atomic_init(&record->shares, 1);
    }
    return record;
}

/* A thread without a loop that works for somebody has a job. */
static enum origin origin_of(const struct jg_task_record *task) {
    const struct loop *loop = task->coro.loop;
    if (loop == NULL) {
        return task_place(task->site)[0] != '\0' ? OF_JOB : OF_TASK;
    }
    return &task->coro == &loop->self.coro ? OF_CALL : OF_TASK;
}

static struct error_record *make_record(const struct jg_task_record *task, intptr_t code,
                                        const char *where) {
    struct error_record *record = alloc_record();
    if (record == NULL) {
        return NULL;
    }
    record->origin = origin_of(task);
    snprintf(record->own.task, sizeof(record->own.task), "%s", task->coro.name);
    record->error = (jg_error){.code = code,
                               .text = record->own.text,
                               .where = where,
                               .task = record->own.task,
                               .spawned = task_place(task->site)};
    return record;
}

struct error_record *error_of_word(intptr_t code) {
    struct error_record *record = make_record(task_current(), code, "");
    if (record != NULL) {
        snprintf(record->own.text, sizeof(record->own.text), "the word of a future");
    }
    return record;
}

/* Copies a place, "src/a.c:12". What is too long loses its beginning. */
static void write_place(const char *place, char *out_text, size_t size_bytes) {
    size_t len = strlen(place);
    size_t skip = len < size_bytes ? 0 : len + 1 - size_bytes;
    memcpy(out_text, place + skip, len + 1 - skip);
}

void error_write(const struct error_record *record, struct error_text *out_text) {
    *out_text = record->own;
    if (record->summary != NULL) {
        snprintf(out_text->text, sizeof(out_text->text), "%s", record->summary);
    }
    out_text->code = record->error.code;
    write_place(record->error.where, out_text->where, sizeof(out_text->where));
    write_place(record->error.spawned, out_text->spawned, sizeof(out_text->spawned));
}

struct error_record *error_read(const struct error_text *text, const char *site) {
    struct error_record *record = alloc_record();
    if (record == NULL) {
        return NULL;
    }
    record->own = *text;
    if (text->spawned[0] == '\0') {
        snprintf(record->own.task, sizeof(record->own.task), "%s", site);
        write_place(task_place(site), record->own.spawned, sizeof(record->own.spawned));
    }
    record->error = (jg_error){.code = text->code,
                               .text = record->own.text,
                               .where = record->own.where,
                               .task = record->own.task,
                               .spawned = record->own.spawned};
    return record;
}

void error_keep(struct jg_task_record *task, struct error_record *record) {
    error_free(task->error);
    task->error = record;
    task->coro.explained = 0;
    if (record != NULL) {
        intptr_t code = record->error.code;
        task->coro.explained = jg_failed(code) ? (uint16_t)-code : UINT16_MAX;
    }
    if (record != NULL && task->coro.loop == NULL) {
        thread_mind_end(task);
    }
}

void jg_error_clear(void) {
    error_keep(task_current(), NULL);
}

/* The newest failure on record, or NULL. One that is outdated is forgotten now: error_bare, to which a record
 * is unknown, has only taken its mark off. */
static struct error_record *newest(struct jg_task_record *task) {
    if (task->error != NULL && task->coro.explained == 0) {
        error_keep(task, NULL);
    }
    return task->error;
}

struct error_record *error_take(struct jg_task_record *task) {
    struct error_record *record = newest(task);
    task->error = NULL;
    task->coro.explained = 0;
    return record;
}

struct error_record *error_take_for(struct jg_task_record *task, intptr_t code) {
    struct error_record *record = error_take(task);
    if (record != NULL && record->error.code == code) {
        return record;
    }
    error_free(record); // of a failure the task got over
    return make_record(task, code, "");
}

struct error_record *error_share(struct jg_task_record *task, intptr_t code) {
    error_keep(task, error_take_for(task, code));
    return error_ref(task->error);
}

/* In the running task, where it stands for one that would be waited for: what it comes to is not explained
 * by a failure of before, and one that it got over takes no other's place. */
intptr_t error_apart(jg_fn *fn, void *arg) {
    struct jg_task_record *self = task_current();
    struct error_record *before = error_take(self);
    intptr_t word = fn(arg);
    if (jg_failed(word)) {
        error_free(before);
    } else {
        error_keep(self, before);
    }
    return word;
}

static bool shared(struct error_record *record) {
    return atomic_load_explicit(&record->shares, memory_order_acquire) > 1;
}

/* A string of `from`, as its copy has it. */
static const char *copied_string(const char *text, const struct error_record *from,
                                 struct error_record *copy) {
    uintptr_t offset = (uintptr_t)text - (uintptr_t)from;
    return offset < sizeof(*from) ? (const char *)copy + offset : text;
}

/* What came with it is left out. NULL without memory; where that lacks only for a long text, it is cut. */
static struct error_record *copy_record(const struct error_record *from) {
    struct error_record *copy = alloc_record();
    if (copy == NULL) {
        return NULL;
    }
    copy->own = from->own;
    copy->origin = from->origin;
    copy->error = from->error;
    copy->error.next = NULL;
    copy->error.where = copied_string(from->error.where, from, copy);
    copy->error.task = copy->own.task;
    copy->error.spawned = copied_string(from->error.spawned, from, copy);
    copy->error.text = copy->own.text;
    if (from->long_text != NULL) {
        size_t size = strlen(from->long_text) + 1;
        copy->long_text = mem_alloc(size);
        if (copy->long_text != NULL) {
            memcpy(copy->long_text, from->long_text, size);
            copy->error.text = copy->long_text;
        }
    }
    copy->cause = error_ref(from->cause);
    return copy;
}

static void link_next(struct error_record *record, struct error_record *next) {
    record->next = next;
    record->error.next = next != NULL ? &next->error : NULL;
}

/* The same failures in records that nobody else has. Takes a share; without memory some are lost. */
static struct error_record *make_own(struct error_record *record) {
    if (record == NULL || !shared(record)) {
        return record;
    }
    struct error_record *first = NULL;
    struct error_record *last = NULL;
    for (const struct error_record *from = record; from != NULL; from = from->next) {
        struct error_record *copy = copy_record(from);
        if (copy != NULL && last != NULL) {
            link_next(last, copy);
        }
        first = first != NULL ? first : copy;
        last = copy != NULL ? copy : last;
    }
    error_free(record);
    return first;
}

size_t error_append(struct error_record **first, struct error_record **last,
                    struct error_record *record) {
    size_t count = record == NULL ? 1 : 0;
    for (const struct error_record *each = record; each != NULL; each = each->next) {
        count++;
    }
    record = make_own(record);
    if (record == NULL) {
        return count;
    }
    if (*first == NULL) {
        *first = record;
    } else {
        link_next(*last, record);
    }
    *last = record;
    while ((*last)->next != NULL) {
        *last = (*last)->next;
    }
    return count;
}

/* The words to a failure, its code's if it came without. */
static const char *words_of(const jg_error *error) {
    const char *meaning = strerrordesc_np((int)-error->code);
    return error->text[0] != '\0' ? error->text : meaning != NULL ? meaning : "no such error";
}

/* Writes " (and 2 more: EIO: the disk is wet; EPIPE: Broken pipe)". */
static void name_others(const jg_error *first, char *out_text, size_t size_bytes) {
    size_t count = 0;
    for (const jg_error *error = first->next; error != NULL; error = error->next) {
        count++;
    }
    int len = snprintf(out_text, size_bytes, " (and %zu more", count);
    const jg_error *error = first->next;
    for (int i = 0; i < OTHERS_NAMED && error != NULL; i++, error = error->next) {
        len += snprintf(out_text + len, size_bytes - (size_t)len, "%s %s: %.80s",
                        i == 0 ? ":" : ";", jg_error_name(error->code), words_of(error));
    }
    snprintf(out_text + len, size_bytes - (size_t)len, "%s)", error != NULL ? "; ..." : "");
}

void error_sum_up(struct error_record *record) {
    char others[OTHERS_NAMED * 128 + 64];
    if (record == NULL || record->next == NULL) {
        return;
    }
    name_others(&record->error, others, sizeof(others));
    const char *text = words_of(&record->error);
    size_t size = strlen(text) + strlen(others) + 1;
    mem_free(record->summary); // that of a group inside
    record->summary = mem_alloc(size);
    if (record->summary != NULL) {
        snprintf(record->summary, size, "%s%s", text, others);
    }
}

/* What others hold a share in stays as it is. */
static void cut_chain(struct error_record *record) {
    for (int i = 1; i < CAUSES_MOST && record != NULL && !shared(record); i++) {
        record = record->cause;
    }
    if (record != NULL && !shared(record)) {
        error_free(record->cause);
        record->cause = NULL;
        record->error.cause = NULL;
    }
}

/* What others sent may be in it: it is to end no line of a log, and to steer no terminal. */
static void make_one_line(char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == '\x7f') {
            *text = ' ';
        }
    }
}

/* Every text comes from here, one from another process too. Without memory, and in another process, a long
 * one is cut. */
static void write_text(struct error_record *record, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(record->own.text, sizeof(record->own.text), format, args);
    make_one_line(record->own.text);
    if (len >= (int)sizeof(record->own.text)) {
        record->long_text = mem_alloc((size_t)len + 1);
    }
    if (record->long_text != NULL) {
        vsnprintf(record->long_text, (size_t)len + 1, format, again);
        make_one_line(record->long_text);
        record->error.text = record->long_text;
    }
    va_end(again);
}

static intptr_t fail(const char *where, intptr_t code, bool because, const char *format,
                     va_list args) {
    struct jg_task_record *task = task_current();
    struct error_record *record = make_record(task, code, where);
    if (record == NULL) {
        error_keep(task, NULL);
        return code;
    }
    write_text(record, format, args);
    if (because && newest(task) != NULL) {
        record->cause = error_take(task);
        record->error.cause = &record->cause->error;
        cut_chain(record);
    }
    error_keep(task, record);
    return code;
}

intptr_t jg_fail_at(const char *where, intptr_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail(where, code, false, format, args);
    va_end(args);
    return code;
}

intptr_t jg_fail_because_at(const char *where, intptr_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail(where, code, true, format, args);
    va_end(args);
    return code;
}

const jg_error *jg_error_last(void) {
    const struct error_record *record = newest(task_current());
    return record == NULL ? NULL : &record->error;
}

const char *jg_error_name(intptr_t code) {
    const char *name = code < 0 && code >= -4095 ? strerrorname_np((int)-code) : NULL;
    return name != NULL ? name : "E?";
}

const char *jg_error_detail(intptr_t code) {
    const struct error_record *record = newest(task_current());
    if (record != NULL && record->error.code == code) {
        if (record->summary != NULL) {
            return record->summary;
        }
        if (record->error.text[0] != '\0') {
            return record->error.text;
        }
    }
    static __thread char text[96];
    const char *meaning = code < 0 && code >= -4095 ? strerrordesc_np((int)-code) : NULL;
    snprintf(text, sizeof(text), "%s: %s", jg_error_name(code),
             meaning != NULL ? meaning : "no such error");
    return text;
}

static void print_failure(const jg_error *error, FILE *out) {
    fputs(jg_error_name(error->code), out);
    for (; error != NULL && error->text[0] != '\0'; error = error->cause) {
        bool known = error->where[0] != '\0';
        fprintf(out, known ? ": %s (%s)" : ": %s", error->text, error->where);
    }
}

static void print_origin(const jg_error *error, FILE *out) {
    static const struct {
        const char *what;
        const char *placed;
    } words[] = {
        [OF_TASK] = {"task", "spawned"},
        [OF_CALL] = {"call", "queued"},
        [OF_JOB] = {"job", "submitted"},
    };
    enum origin origin = container_of(error, const struct error_record, error)->origin;
    fprintf(out, "%s %s", words[origin].what, error->task);
    if (error->spawned[0] != '\0') {
        fprintf(out, " (%s at %s)", words[origin].placed, error->spawned);
    }
}

void error_print(const jg_error *error, FILE *out) {
    print_origin(error, out);
    fputs(" failed and nobody looked: ", out);
    print_failure(error, out);
    size_t others = 0;
    for (error = error->next; error != NULL; error = error->next) {
        if (++others <= OTHERS_TOLD) {
            fputs("; and ", out);
            print_origin(error, out);
            fputs(": ", out);
            print_failure(error, out);
        }
    }
    if (others > OTHERS_TOLD) {
        fprintf(out, "; and %zu more", others - OTHERS_TOLD);
    }
    fputc('\n', out);
}

static void report_on_stderr(const jg_error *error) {
    fputs("juggle: ", stderr);
    error_print(error, stderr);
}

void jg_error_on_unretrieved(jg_error_report_fn *report) {
    atomic_store(&report_to, report);
}

void error_report(struct error_record *record) {
    if (record == NULL) {
        return;
    }
    jg_error_report_fn *report = atomic_load(&report_to);
    struct coro *self = sched_current();
    bool before = no_suspend_enter(self);
    (report != NULL ? report : report_on_stderr)(&record->error);
    no_suspend_leave(self, before);
    error_free(record);
}
