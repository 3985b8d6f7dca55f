package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pingvas/pingvas/adapters/invokeai"
	"github.com/pingvas/pingvas/adapters/sketch"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/workers/generate"
)

// The engines.
const (
	engineSketch   = "sketch"
	engineInvokeAI = "invokeai"
)

// engineSettings say what draws.
type engineSettings struct {
	Engine string        `name:"engine" env:"PINGVAS_ENGINE" default:"sketch" enum:"sketch,invokeai" help:"Image engine: sketch draws procedural pictures without a GPU, invokeai drives an InvokeAI server."`
	Pace   time.Duration `name:"sketch-pace" env:"PINGVAS_SKETCH_PACE" default:"80ms" help:"Least time that sketch takes for a step over a million pixels."`
	URL    string        `name:"invokeai-url" env:"PINGVAS_INVOKEAI_URL" default:"http://127.0.0.1:9090" help:"Where the InvokeAI server of this worker is. Nobody else may reach it."`
	// Models maps keys of the catalogue to names on the server.
	Models      map[string]string `name:"invokeai-models" env:"PINGVAS_INVOKEAI_MODELS" help:"Names of models on the server, where they differ from the keys of the catalogue: sdxl-1.0=my-sdxl;flux-t5=t5-xxl."`
	Warm        []string          `name:"invokeai-warm" env:"PINGVAS_INVOKEAI_WARM" help:"Models that are loaded before the first job, separated by commas."`
	RecycleJobs int               `name:"invokeai-recycle-jobs" env:"PINGVAS_INVOKEAI_RECYCLE_JOBS" default:"500" help:"Jobs after which the server should be restarted; 0 for never."`
	RecycleMiB  int64             `name:"invokeai-recycle-mib" env:"PINGVAS_INVOKEAI_RECYCLE_MIB" default:"0" help:"Memory of the server's process in MiB above which it should be restarted; 0 for never."`
}

func (s engineSettings) errors() []error {
	var errs []error
	if s.Pace < 0 {
		errs = append(errs, errors.New("PINGVAS_SKETCH_PACE cannot be negative"))
	}
	if s.Engine != engineInvokeAI {
		return errs
	}
	errs = append(errs, checkURL("PINGVAS_INVOKEAI_URL", s.URL)...)
	if s.URL == "" {
		errs = append(errs, missing("PINGVAS_INVOKEAI_URL", "http://127.0.0.1:9090"))
	}
	if s.RecycleJobs < 0 || s.RecycleMiB < 0 {
		errs = append(errs, errors.New("PINGVAS_INVOKEAI_RECYCLE_JOBS and PINGVAS_INVOKEAI_RECYCLE_MIB cannot be negative"))
	}
	offered := invokeaiModels(s.Models)
	for key := range s.Models {
		if !knownModel(key) {
			errs = append(errs, fmt.Errorf("PINGVAS_INVOKEAI_MODELS: the catalogue has no %q", key))
		}
	}
	for _, key := range s.Warm {
		if offered[key] == "" {
			errs = append(errs, fmt.Errorf("PINGVAS_INVOKEAI_WARM: the catalogue has no model %q", key))
		}
	}
	return errs
}

// knownModel reports whether a worker may be asked for something of this name.
func knownModel(key string) bool {
	parts := []string{invokeai.ModelFluxT5, invokeai.ModelFluxCLIP, invokeai.ModelFluxVAE}
	return invokeaiModels(nil)[key] != "" || slices.Contains(parts, key)
}

// invokeaiModels returns every model, LoRA and ControlNet of the catalogue with its name on the server.
func invokeaiModels(names map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range pricing.Current().Models {
		all[m.Key] = m.Key
		for _, lora := range m.LoRAs.Keys {
			all[lora] = lora
		}
		for _, kind := range m.Controls.Kinds {
			family, _, _ := strings.Cut(m.Key, "-") // sdxl-1.0 is of the family sdxl
			key := invokeai.ControlKey(family, kind.Key)
			all[key] = key
		}
	}
	for key, name := range names {
		all[key] = name
	}
	return all
}

// engine is what draws, and what must run beside it.
type engine struct {
	generate.Engine
	// tend keeps the engine ready; nil if nothing has to.
	tend func(context.Context) error
	// alive says why what draws should be restarted; nil if it never should.
	alive func() error
}

// newEngine returns the image engine that the settings name.
func (p *parts) newEngine(s engineSettings) (engine, error) {
	switch s.Engine {
	case engineSketch:
		var models []string
		for _, m := range pricing.Current().Models {
			models = append(models, m.Key)
		}
		e, err := sketch.New(sketch.Config{Models: models, Pace: s.Pace})
		return engine{Engine: e}, err
	case engineInvokeAI:
		e, err := invokeai.New(invokeai.Config{
			URL: s.URL, Models: invokeaiModels(s.Models), Tended: true, Warm: s.Warm,
			Log: p.log, Observe: newServerObserver(p.metrics),
			Recycle: invokeai.Recycle{Jobs: s.RecycleJobs, ResidentBytes: s.RecycleMiB << 20},
		})
		if err != nil {
			return engine{}, err
		}
		return engine{e, e.Run, e.Alive}, nil
	}
	return engine{}, fmt.Errorf("there is no engine %q", s.Engine)
}
