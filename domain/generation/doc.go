// Package generation is the life of one request for images: a pure decider.
//
//	requested ──claimed──▶ running ──completed──▶ succeeded
//	    │  ▲                 │ ├─────failed─────▶ failed, blocked
//	    │  └────requeued─────┘ └────cancelled───▶ cancelled
//	    └──cancelled, expired
//
// The attempt is the fence. It rises with every requeue, and what a worker says of an older attempt changes nothing.
// The first valid end wins; every later one is refused with CodeAlreadyEnded.
package generation
