package main

import (
	"fmt"

	"github.com/pingvas/pingvas/adapters/sketch"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/workers/generate"
)

// newEngine returns the image engine that the settings name.
func newEngine(s workerSettings) (generate.Engine, error) {
	switch s.Engine {
	case "sketch":
		var models []string
		for _, m := range pricing.Current().Models {
			models = append(models, m.Key)
		}
		return sketch.New(sketch.Config{Models: models, Pace: s.Pace})
	}
	return nil, fmt.Errorf("there is no engine %q", s.Engine)
}
