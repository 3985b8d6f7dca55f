// Package invokefake is an InvokeAI server without a model: every route that the worker calls, the queue, the socket,
// and pictures that follow from the graph and the seed. It stands in for a GPU in tests and in the bench.
//
// What it does is what InvokeAI 6.14 was seen to do: items one after another, a cancellation that takes effect at the
// next step, results under generated ids, the prompt in the text of the PNG, success for a deletion that failed. Faults
// makes it do what servers do on bad days.
package invokefake
