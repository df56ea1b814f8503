/*
 * /may-start/IP and /may-stop/IP: what the gates say. PURE.
 */
#ifndef RENDER_GATES_H
#define RENDER_GATES_H

#include "../model/gates.h"
#include "render.h"

/* What a gate_context points to. */
struct gate_room {
    struct addresses seeds;
    char waits[REGIONS_WHY_LEN];
};

/* The context in which the gates are asked; `room` lives as long and ends by gate_room_done().
 * context->gates has to be set. */
void render_gate_context(const struct render_context *context, struct gate_room *room,
                         struct gate_context *ret);
void gate_room_done(struct gate_room *room);

/* {"may":"yes","reasons":[]}; 200 = yes, else 409. */
int render_gate(struct text *text, const struct gate_answer *answer);

#endif
