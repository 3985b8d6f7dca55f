package invokeai

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/generate"
)

var update = flag.Bool("update", false, "write the golden graphs")

func request(change func(*generate.Request)) generate.Request {
	r := generate.Request{
		Operation: "text_to_image", Model: "m", Prompt: `a (red)1.3 barn, "quoted"`, NegativePrompt: "rain",
		Width: 1024, Height: 768, Steps: 30, Guidance: 7, Scheduler: "dpmpp_2m_k", Seed: 7, Count: 2,
	}
	change(&r)
	return r
}

func installed(name, base, kind string) model {
	return model{Key: "key-" + name, Hash: "blake3:" + name, Name: name, Base: base, Type: kind}
}

// plans are the requests that have a golden graph each.
func plans() map[string]plan {
	plain := func(*generate.Request) {}
	image := func(r *generate.Request) { r.Operation, r.Strength = "image_to_image", 0.4 }
	flux := func(r *generate.Request) {
		r.Prompt, r.NegativePrompt, r.Steps, r.Guidance, r.Scheduler = ":) a barn", "", 4, 0, "euler"
	}
	sdxl := plan{main: installed("sdxl", "sdxl", "main")}
	schnell := plan{main: installed("schnell", "flux", "main"), fluxScheduler: true, flux: fluxParts{
		t5: installed("t5", "any", "t5_encoder"), clip: installed("clip", "any", "clip_embed"),
		vae: installed("ae", "flux", "vae"),
	}}
	all := map[string]plan{}
	add := func(name string, p plan, changes ...func(*generate.Request)) *plan {
		p.request = request(func(r *generate.Request) {
			for _, change := range changes {
				change(r)
			}
		})
		all[name] = p
		return &p
	}
	add("sdxl", sdxl, plain)
	p := add("sdxl-image", sdxl, image)
	p.source = &upload{"in.png", 640, 480}
	all["sdxl-image"] = *p
	p = add("sdxl-image-of-that-size", sdxl, image)
	p.source = &upload{"in.png", 1024, 768}
	all["sdxl-image-of-that-size"] = *p
	p = add("sdxl-loras", sdxl, plain)
	p.loras = []chosenLoRA{{installed("one", "sdxl", "lora"), 0.7}, {installed("two", "sdxl", "lora"), -1}}
	all["sdxl-loras"] = *p
	p = add("sdxl-controls", sdxl, plain)
	p.control = []chosenControl{
		{installed("canny", "sdxl", "controlnet"), generate.Control{Preprocess: true, Weight: 1, End: 0.8},
			upload{"photo.png", 99, 99}},
		{installed("depth", "sdxl", "controlnet"), generate.Control{Weight: 0.5, Begin: 0.1, End: 1},
			upload{"depth.png", 1024, 768}},
	}
	all["sdxl-controls"] = *p
	add("flux-schnell", schnell, flux)
	add("flux-dev", schnell, flux, func(r *generate.Request) { r.Guidance, r.Steps, r.Scheduler = 3.5, 28, "heun" })
	p = add("flux-image", schnell, flux, image)
	p.source = &upload{"in.png", 64, 64}
	all["flux-image"] = *p
	p = add("flux-loras", schnell, flux)
	p.loras = []chosenLoRA{{installed("one", "flux", "lora"), 1}}
	p.fluxScheduler = false
	all["flux-loras"] = *p
	return all
}

// TestGraphs holds every kind of graph to what was once found right, and to the nodes of a real server.
func TestGraphs(t *testing.T) {
	t.Parallel()
	nodes := realNodes(t)
	check := func(name string, d drawing) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, nodes.check(d.graph))
			require.Contains(t, d.graph.Nodes[d.seedNode], d.seedField)
			for id, node := range d.graph.Nodes {
				require.Equal(t, id, node["id"])
				require.Equal(t, false, node["use_cache"], "nothing is taken from another job")
				require.Equal(t, id != nodeOut, node["is_intermediate"])
			}
			golden(t, name, d)
		})
	}
	for name, p := range plans() {
		check(name, p.draw())
		require.Equal(t, p.draw(), p.draw(), "pure")
	}
	check("canary", canary())
}

func golden(t *testing.T, name string, d drawing) {
	t.Helper()
	have, err := json.MarshalIndent(map[string]any{"graph": d.graph, "seed": d.seedNode + "." + d.seedField}, "", " ")
	require.NoError(t, err)
	have = append(have, '\n')
	path := filepath.Join("testdata", "graph-"+name+".json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, have, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with: go test ./adapters/invokeai -run TestGraphs -update")
	require.Equal(t, string(want), string(have))
}

// realNodes are the fields of InvokeAI 6.14.2, which the fake is made of, too.
func realNodes(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "invokefake", "nodes.json"))
	require.NoError(t, err)
	var kinds map[string]struct{ Fields []string }
	require.NoError(t, json.Unmarshal(text, &kinds))
	nodes := schema{}
	for kind, k := range kinds {
		nodes[kind] = map[string]bool{}
		for _, field := range k.Fields {
			nodes[kind][field] = true
		}
	}
	return nodes
}

func TestASchemaFindsWhatTheServerWouldPassOver(t *testing.T) {
	t.Parallel()
	nodes := realNodes(t)
	d := plans()["sdxl"].draw()
	d.graph.Nodes[nodeDenoise]["stepps"] = 3
	d.graph.Edges[0].Destination.Field = "unett"
	err := nodes.check(d.graph)
	require.ErrorContains(t, err, "denoise_latents.stepps")
	require.ErrorContains(t, err, "unett")
}

func TestCompelText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a cat": "a cat", "a (cat)1.2": "a (cat)1.2", ":)": `:\)`, "(a": `\(a`, `\(a\)`: `\(a\)`, `"a"`: `\"a\"`,
		`\"a\"`: `\"a\"`, "((((a))))": `\(\(\(\(a\)\)\)\)`, `(a) :)`: `\(a\) :\)`,
	} {
		require.Equal(t, want, compelText(in), in)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]version{
		"6.0.0": {6, 0, 0}, "6.14.2": {6, 14, 2}, "6.14.0rc2": {6, 14, 0}, "6.9.0.post1": {6, 9, 0}, "v6.10": {6, 10, 0},
		"7.0.0-alpha": {7, 0, 0},
	} {
		v, err := parseVersion(text)
		require.NoError(t, err, text)
		require.Equal(t, want, v)
		require.False(t, v.before(oldest()))
	}
	for _, text := range []string{"", "latest", "x6.1", "99999.1.1"} {
		_, err := parseVersion(text)
		require.Error(t, err, text)
	}
	old, err := parseVersion("5.15.0")
	require.NoError(t, err)
	require.True(t, old.before(oldest()))
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	i := item{StartedAt: "2026-11-28 10:43:48.728", CompletedAt: "2026-11-28 10:43:50.489"}
	require.EqualValues(t, 1761, i.took().Milliseconds())
	i.CompletedAt = "nonsense"
	require.Zero(t, i.took())
}

// FuzzHear holds that no event of the socket, however broken, does more than not being understood.
func FuzzHear(f *testing.F) {
	f.Add(`["invocation_progress",{"batch_id":"b","invocation_source_id":"denoise","percentage":0.5,` +
		`"image":{"dataURL":"x"}}]`)
	f.Add(`["model_load_complete",{"config":{"base":"sdxl"}}]`)
	f.Add(`["queue_item_status_changed",{"batch_id":"b"}]`)
	f.Add(`["model_load_started",{"config":{"base":"sdxl"},"submodel_type":"unet"}]`)
	f.Add(`[]`)
	f.Add(`[1,2]`)
	f.Fuzz(func(t *testing.T, text string) {
		last := 0.0
		r := &run{id: "b", wake: make(chan struct{}, 1), meter: newMeter(2, func(p generate.Progress) {
			require.GreaterOrEqual(t, p.Fraction, last)
			require.LessOrEqual(t, p.Fraction, 1.0)
			last = p.Fraction
		})}
		r.hear(text, &loadTimes{began: map[string]time.Time{}, observe: nobody{}})
	})
}
