package generation

import (
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
)

// Spec is what the customer asked for, with every default filled in.
type Spec struct {
	pricing.Terms
	Prompt         string   `json:"prompt" pii:"seal"`
	NegativePrompt string   `json:"negative_prompt,omitempty" pii:"seal"`
	Guidance       float64  `json:"guidance,omitempty"`
	Scheduler      string   `json:"scheduler,omitempty"`
	Seed           uint32   `json:"seed"`
	Tags           []string `json:"tags,omitempty"`
	// Source is what image_to_image begins with, and Strength how much of it may change.
	Source   *Input         `json:"source,omitempty"`
	Strength float64        `json:"strength,omitempty"`
	LoRAs    []pricing.LoRA `json:"loras,omitempty"`
	Controls []Control      `json:"control_images,omitempty"`
}

// Control is a picture that holds the drawing to its lines or its depth.
type Control struct {
	pricing.Control
	Input Input `json:"input"`
}

// Input is a picture that a request brings along, as it was found when the request was made: what a worker finds
// later must be the same. Exactly one of Image and Upload is set.
type Input struct {
	Image       domain.ImageID  `json:"image,omitempty"`  // of this account
	Upload      domain.UploadID `json:"upload,omitempty"` // of this account
	Key         string          `json:"key"`
	ContentType string          `json:"content_type"`
	Bytes       int64           `json:"bytes"`
	SHA256      string          `json:"sha256"` // hex
	Width       int             `json:"width"`
	Height      int             `json:"height"`
}

// Inputs returns the pictures that the request brings along: the source first, then those of the controls.
func (s Spec) Inputs() []Input {
	var all []Input
	if s.Source != nil {
		all = append(all, *s.Source)
	}
	for _, c := range s.Controls {
		all = append(all, c.Input)
	}
	return all
}

// Requested is the first event of every generation.
type Requested struct {
	Generation  domain.GenerationID  `json:"generation"`
	Account     domain.AccountID     `json:"account"`
	Key         domain.KeyID         `json:"key,omitempty"` // the API key that asked
	Spec        Spec                 `json:"spec"`
	Pool        string               `json:"pool"`
	Tier        domain.Tier          `json:"tier"`
	Reservation domain.ReservationID `json:"reservation"`
	Reserved    domain.Credits       `json:"reserved"`
	PriceBook   string               `json:"price_book"`
	Quote       string               `json:"quote,omitempty"`
	Policy      string               `json:"policy"` // settlement policy version
	// EstimateMillis is the estimated GPU time of the whole job.
	EstimateMillis int64 `json:"estimate_ms"`
	// Deadline is when the job expires if it has not ended; the reservation lasts as long.
	Deadline time.Time `json:"deadline"`
	At       time.Time `json:"at"`
}

// Claimed gives the job to one worker until the lease ends.
type Claimed struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	Worker     string              `json:"worker"`
	LeaseUntil time.Time           `json:"lease_until"`
	At         time.Time           `json:"at"`
}

// LeaseExtended moves the end of the lease.
type LeaseExtended struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	LeaseUntil time.Time           `json:"lease_until"`
	At         time.Time           `json:"at"`
}

// Requeued opens the job again for its next attempt.
type Requeued struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"` // the next one
	Cause      string              `json:"cause"`   // lease_expired, handed_back or an engine error class
	At         time.Time           `json:"at"`
}

// Image is one delivered picture. Keys name objects in the picture store.
type Image struct {
	Image        domain.ImageID `json:"image"`
	Key          string         `json:"key"`
	ThumbnailKey string         `json:"thumbnail_key"`
	ContentType  string         `json:"content_type"`
	Bytes        int64          `json:"bytes"`
	SHA256       string         `json:"sha256"` // hex, of the original
	Width        int            `json:"width"`
	Height       int            `json:"height"`
	Seed         uint32         `json:"seed"`
}

// Completed ends the job with pictures.
type Completed struct {
	Generation    domain.GenerationID `json:"generation"`
	Account       domain.AccountID    `json:"account"`
	Attempt       int                 `json:"attempt"`
	Images        []Image             `json:"images"`
	Engine        string              `json:"engine"`
	EngineVersion string              `json:"engine_version"`
	GPUMillis     int64               `json:"gpu_ms"`
	At            time.Time           `json:"at"`
}

// Failed ends the job without pictures. Blocked is failed by the content filter.
type Failed struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	Blocked    bool                `json:"blocked,omitempty"`
	Cause      string              `json:"cause"` // an engine error class, lease_expired or handed_back
	Stage      settlement.Stage    `json:"stage"`
	At         time.Time           `json:"at"`
}

// Cancelled ends the job at the customer's wish.
type Cancelled struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	Stage      settlement.Stage    `json:"stage"`
	At         time.Time           `json:"at"`
}

// Expired ends the job because its deadline passed.
type Expired struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	Stage      settlement.Stage    `json:"stage"`
	At         time.Time           `json:"at"`
}

// EventName implements domain.Event.
func (Requested) EventName() string { return "generation.requested.v1" }

// EventName implements domain.Event.
func (Claimed) EventName() string { return "generation.claimed.v1" }

// EventName implements domain.Event.
func (LeaseExtended) EventName() string { return "generation.lease_extended.v1" }

// EventName implements domain.Event.
func (Requeued) EventName() string { return "generation.requeued.v1" }

// EventName implements domain.Event.
func (Completed) EventName() string { return "generation.completed.v1" }

// EventName implements domain.Event.
func (Failed) EventName() string { return "generation.failed.v1" }

// EventName implements domain.Event.
func (Cancelled) EventName() string { return "generation.cancelled.v1" }

// EventName implements domain.Event.
func (Expired) EventName() string { return "generation.expired.v1" }

// Events returns the type of every event of the generation stream.
func Events() []domain.EventType {
	return []domain.EventType{
		domain.TypeOf[Requested](),
		domain.TypeOf[Claimed](),
		domain.TypeOf[LeaseExtended](),
		domain.TypeOf[Requeued](),
		domain.TypeOf[Completed](),
		domain.TypeOf[Failed](),
		domain.TypeOf[Cancelled](),
		domain.TypeOf[Expired](),
	}
}
