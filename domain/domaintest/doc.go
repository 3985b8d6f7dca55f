// Package domaintest is the test kit of the deciders.
//
// A Scenario drives one decider by given, when, then, and checks with every command what must hold for all of them.
// A Ledger plays scenarios from text files that an auditor can read. One file shows one rule:
//
//	The rule in plain words.
//
//	-- given --
//	account.credits_granted.v1 {"grant":"grt_1","source":"plan","amount":100}
//	-- when --
//	settle {"reservation":"res_1","charge":30,"at":"2026-01-02T00:00:00Z"}
//	-- then --
//	account.credits_settled.v1 {"charged":[{"grant":"grt_1","amount":30}]}
//	-- balance --
//	available=70 reserved=0 consumed=30
//
// The sections:
//
//   - given: recorded events, one a line: wire name, then all of its JSON that matters.
//   - when: one command: its name, then its fields.
//   - then: exactly the events that must come out, in order. Fields that are not written may have any value, lists
//     are complete. No lines mean that the command is accepted and changes nothing.
//   - refused: the code of the refusal instead of then, and the detail if it matters. A refusal records nothing.
//   - balance: figures of the state after the command.
//
// When, then and balance may repeat. Blank lines and lines that begin with # are left out. Ids may be written short:
// grt_1 stands for grt_ and 1 filled up with zeros to 26 characters.
package domaintest
