/* What people look at: who sees whom, and the page that shows it. */
#include "page_document.h"
#include "publish_private.h"
#include "render_matrix.h"

/* So many nodes' matrix is rendered at every change; that of more once a round. */
#define MATRIX_AT_ONCE 100

static bool anything_changed(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (cluster->sorted[i]->dirty_opinions || cluster->sorted[i]->dirty_verdict)
            return true;
    return cluster->dirty;
}

/*
 * Who sees whom changes with anything about anybody, and is as large as all bodies together would
 * be were it not for its runs.
 */
void publish_matrix(struct batch *batch)
{
    const struct render_context *context = batch->context;
    struct publisher *publisher = batch->publisher;

    if (batch->all || anything_changed(context->cluster))
        publisher->matrix_dirty = true;
    if (!batch->all && !batch->round && context->n_observers > MATRIX_AT_ONCE)
        return;
    if (publisher->matrix_dirty) {
        render_matrix(fresh(batch), context);
        put(batch, "/matrix", 200, 0, TYPE_JSON);
        publisher->matrix_dirty = batch->error < 0;
    }
    touch(batch, "/matrix", batch->observed_at_ms);
}

/* The page itself does not age: it is what tells people that everything else does. */
void publish_page(struct batch *batch)
{
    struct text *text = fresh(batch);

    text_add(text, (const char *)page_document, page_document_len);
    put(batch, "/", 200, PROBER_DOCUMENT_AGELESS, "text/html; charset=utf-8");
}
