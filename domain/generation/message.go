package generation

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// The Kafka topics between the ledger and the workers. Their names never change.
const (
	// TopicResults carries Result, keyed by generation.
	TopicResults = "pingvas.results"
	// TopicProgress carries Progress, keyed by generation; losing it loses nothing.
	TopicProgress = "pingvas.progress"
)

// OfferTopic returns the compacted topic of the open jobs of a pool and tier, keyed by generation.
// A tombstone says that the job is no longer open.
func OfferTopic(pool string, tier domain.Tier) string {
	return "pingvas.jobs." + pool + "." + string(tier)
}

// Offer is an open job as a worker sees it before claiming: what it needs to choose, and nothing personal.
type Offer struct {
	Generation domain.GenerationID `json:"generation"`
	// Account is the hash of the account, so that workers can be fair without knowing whom they serve.
	Account        string      `json:"account_hash"`
	Pool           string      `json:"pool"`
	Tier           domain.Tier `json:"tier"`
	Model          string      `json:"model"`
	Attempt        int         `json:"attempt"`
	EstimateMillis int64       `json:"estimate_ms"`
	Enqueued       time.Time   `json:"enqueued_at"` // when it was first requested
}

// Result is how one attempt ended, as its worker tells it. Exactly one of Images and Failure is set.
type Result struct {
	Generation    domain.GenerationID `json:"generation"`
	Account       string              `json:"account_hash"`
	Attempt       int                 `json:"attempt"` // the fence
	Worker        string              `json:"worker"`
	Images        []Image             `json:"images,omitempty"`
	Engine        string              `json:"engine,omitempty"`
	EngineVersion string              `json:"engine_version,omitempty"`
	GPUMillis     int64               `json:"gpu_ms,omitempty"`
	Failure       *Failure            `json:"failure,omitempty"`
	At            time.Time           `json:"at"`
}

// Failure says why an attempt brought no pictures.
type Failure struct {
	Cause   string `json:"cause"` // an engine error class
	Blocked bool   `json:"blocked,omitempty"`
	Retry   bool   `json:"retry,omitempty"` // whether another attempt may do
}

// Progress is one complete frame of a running attempt.
type Progress struct {
	Generation domain.GenerationID `json:"generation"`
	Attempt    int                 `json:"attempt"`
	Stage      string              `json:"stage"`
	Image      int                 `json:"image"`
	Images     int                 `json:"images"`
	Fraction   float64             `json:"fraction"`
	Preview    string              `json:"preview,omitempty"` // a data URL
}
