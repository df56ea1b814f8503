/*
 * A file that is replaced as a whole, and is on disk when its writer says so: written to PATH.new,
 * synced, renamed over PATH, the directory synced. The generation before stays as PATH.1.
 *
 * The writing is done by a thread of its own, so that a slow disk holds up nobody but those that
 * wait for it; everything else here is for the thread of the event loop.
 */
#ifndef STATE_FILE_H
#define STATE_FILE_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct state_file;

/* A write ended: 0, or a negative errno, and then PATH is what it was. Another may be begun from
 * here. */
typedef void (*state_file_written)(int result, void *userdata);

int state_file_new(sd_event *event, const char *path, state_file_written written, void *userdata,
                   struct state_file **ret);

/* Waits for the write that runs, without calling back. Accepts NULL; returns NULL. */
struct state_file *state_file_free(struct state_file *file);

/* Begins to write `text`, which is taken over (also on an error). -EBUSY: a write runs. */
int state_file_write(struct state_file *file, char *text);

/* What is there, which is of another cluster, becomes PATH.other; nothing stays that a start would
 * read. Not while a write runs. */
int state_file_set_aside(const struct state_file *file);

bool state_file_busy(const struct state_file *file);

/* Waits for the write that runs, if any, without calling back: who ends writes once more. */
void state_file_wait(struct state_file *file);

#endif
