// Package invokeai is the image engine of the GPU workers: it drives an InvokeAI server, 6.0 or newer, that runs beside
// the worker and that nobody else can reach.
//
// # One job
//
//	Generate ──▶ upload inputs ──▶ enqueue one batch: an item for each picture, "<job>.<attempt>" its name
//	                │ the batch is polled; the socket wakes the poll and brings progress and previews
//	                ▼
//	          read the pictures ──▶ Output ── the worker stores them ──▶ Forget: pictures, inputs, queue items
//
// # Guarantees
//
//   - The name of the batch is the idempotency key. Before anything is enqueued the server is asked for it; what is
//     found is adopted, so a worker that died between two calls does not draw twice. Batches of earlier attempts are
//     cancelled.
//   - Polling is the truth. A socket that is away, late or lossy costs previews, nothing else.
//   - After a cancellation the server is waited for until it has let go of the batch: the GPU stops at the next step,
//     not at once. Whether the batch was complete by then makes no difference, nobody wants it any more.
//   - An item that is cancelled without our wish (a restart of the server does that) is interrupted work: retried.
//   - Nothing of a customer stays behind on the server: text in the PNGs is removed by the worker, items, outputs and
//     uploads by Forget. Only what this batch made is removed.
//   - No prompt is logged or put into an error: the server's error messages repeat its input, so they are left out.
//
// A server that is older than 6.0, asks for a login, lacks a node or a field of our graphs, or caches the outputs of
// nodes is refused with a message that says what to do.
package invokeai
