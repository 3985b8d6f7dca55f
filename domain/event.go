package domain

// Event is a fact that was recorded. Implementations are structs whose JSON form is part of the public contract.
type Event interface {
	// EventName is the wire name with its version, e.g. "account.credits_granted.v1". It never changes.
	EventName() string
}

// EventType describes one wire name to the codec.
type EventType struct {
	Name string
	// New returns a pointer to a zero event of this type.
	New func() Event
	// Deref returns the event that the pointer from New points to.
	Deref func(Event) Event
}

// TypeOf returns the EventType of E.
func TypeOf[E Event]() EventType {
	var zero E
	return EventType{
		Name: zero.EventName(),
		New:  func() Event { return any(new(E)).(Event) },
		Deref: func(e Event) Event {
			return *any(e).(*E)
		},
	}
}
