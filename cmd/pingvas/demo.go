package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// demoCmd is `pingvas demo`.
type demoCmd struct {
	URL    string `help:"A running API, e.g. http://127.0.0.1:8080. Empty starts an instance of its own." env:"PINGVAS_DEMO_URL"`
	Data   string `help:"Data folder whose ledger is verified at the end, with --url." default:".pingvas" env:"PINGVAS_DATA"`
	Prompt string `help:"What to draw." default:"A lighthouse on a snowy cliff above the ocean at sunset, 눈 덮인 등대"`
	Search string `help:"Words to find it by." default:"등대 ocean"`
	Model  string `help:"Which model." default:"sdxl-1.0"`
	Out    string `help:"Where the picture is saved." default:"pingvas-demo.png"`
}

// Run implements the command.
func (c *demoCmd) Run(ctx context.Context, log *slog.Logger) error {
	if c.URL != "" {
		if err := c.drive(ctx, c.URL, os.Stdout); err != nil {
			return err
		}
		audit := verifyCmd{toolSettings{
			Data: c.Data, DatabaseURL: os.Getenv("DATABASE_URL"), MasterKey: os.Getenv("PINGVAS_MASTER_KEY"),
		}, true}
		return audit.Run(ctx, log)
	}
	dir, remove, err := tempFolder("demo")
	if err != nil {
		return err
	}
	defer remove()
	log, endLog := newLog("warn", "text", os.Stderr)
	defer endLog()
	return c.ownInstance(ctx, dir, log)
}

// ownInstance runs the demo on an instance in a folder that is removed afterwards.
func (c *demoCmd) ownInstance(ctx context.Context, dir string, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	dev := devCmd{
		Data: dir, devPorts: devPorts{Addr: "127.0.0.1:0"}, Slots: 1, Grace: time.Second,
		engineSettings: engineSettings{Engine: engineSketch, Pace: demoPace},
	}
	running, ended, err := dev.startReady(ctx, log)
	if err != nil {
		return err
	}
	fmt.Printf("an instance of its own: %s, ready in %s\n", running.url, time.Since(start).Round(time.Millisecond))
	errDrive := c.drive(ctx, running.url, os.Stdout)
	if errDrive == nil {
		errDrive = verify(ctx, running.parts, true, os.Stdout)
	}
	cancel()
	errStop := <-ended
	if errDrive != nil {
		return errDrive
	}
	return errStop
}

// demoPace makes the embedded engine draw as fast as it can.
const demoPace = 0

// The answers of the API that the demo prints, as far as it needs them.
type (
	demoImage struct {
		ID, SHA256, URL string
		Width, Height   int
		Credits         int64
	}
	demoPosting struct {
		Position, Event, Book string
		Amount                int64
	}
	demoGeneration struct {
		ID, Status, Engine string
		GPUMillis          int64 `json:"gpu_ms"`
		Images             []demoImage
		Links              struct{ Self, Events string }
		Settlement         struct {
			Quoted, Reserved, Settled, Released int64
			Postings                            []demoPosting
		}
	}
)

// drive does the main job as a customer would.
func (c *demoCmd) drive(ctx context.Context, base string, out io.Writer) error {
	api := newClient(base)
	if err := c.openAccount(ctx, api, out); err != nil {
		return err
	}
	asked, err := c.request(ctx, api, out)
	if err != nil {
		return err
	}
	if err := api.watch(ctx, asked.Links.Events, printFrame(api, out)); err != nil {
		return fmt.Errorf("watch the generation: %w", err)
	}
	done, err := c.picture(ctx, api, asked.Links.Self, out)
	if err != nil {
		return err
	}
	if err := c.find(ctx, api, done, out); err != nil {
		return err
	}
	return c.explain(ctx, api, done, out)
}

func (c *demoCmd) openAccount(ctx context.Context, api *client, out io.Writer) error {
	var opened struct {
		Account struct{ ID, Plan string }
		Key     struct{ Secret string } `json:"api_key"`
	}
	if err := api.call(ctx, "POST", "/v1/accounts", map[string]any{"name": "Demo"}, &opened); err != nil {
		return err
	}
	api.secret = opened.Key.Secret
	var balance struct{ Available int64 }
	if err := api.call(ctx, "GET", "/v1/balance?min_position="+api.position, nil, &balance); err != nil {
		return err
	}
	fmt.Fprintf(out, "1 account %s on plan %s with %d credits\n",
		opened.Account.ID, opened.Account.Plan, balance.Available)
	return nil
}

func (c *demoCmd) request(ctx context.Context, api *client, out io.Writer) (demoGeneration, error) {
	var asked demoGeneration
	var quote struct {
		Quote   string
		Credits int64
		Expires time.Time `json:"expires_at"`
	}
	if err := api.call(ctx, "POST", "/v1/quotes", map[string]any{"model": c.Model}, &quote); err != nil {
		return asked, err
	}
	fmt.Fprintf(out, "2 quote of %d credits for %s, binding until %s\n",
		quote.Credits, c.Model, quote.Expires.Format(time.TimeOnly))
	in := map[string]any{"model": c.Model, "prompt": c.Prompt, "tags": []string{"demo"}, "quote": quote.Quote}
	if err := api.call(ctx, "POST", "/v1/generations", in, &asked); err != nil {
		return asked, err
	}
	fmt.Fprintf(out, "3 generation %s is %s, %d credits reserved at %s\n",
		asked.ID, asked.Status, asked.Settlement.Reserved, api.position)
	return asked, nil
}

func printFrame(api *client, out io.Writer) func(event string, data []byte) {
	last := -1
	return func(event string, data []byte) {
		var frame struct {
			Status, Stage, Position string
			Fraction                float64
		}
		if json.Unmarshal(data, &frame) != nil {
			return
		}
		if frame.Position != "" {
			api.position = frame.Position // what is read from now on knows of this change
		}
		if event != "progress" {
			fmt.Fprintf(out, "4 %s: %s\n", event, frame.Status)
			return
		}
		if percent := int(100 * frame.Fraction); percent/10 > last/10 || last < 0 {
			last = percent
			fmt.Fprintf(out, "4 progress: %3d %% %s\n", percent, frame.Stage)
		}
	}
}

func (c *demoCmd) picture(ctx context.Context, api *client, self string, out io.Writer) (demoGeneration, error) {
	var done demoGeneration
	if err := api.call(ctx, "GET", self+"?min_position="+api.position, nil, &done); err != nil {
		return done, err
	}
	if done.Status != "succeeded" || len(done.Images) == 0 {
		return done, fmt.Errorf("the generation is %s with %d images", done.Status, len(done.Images))
	}
	image := done.Images[0]
	bytes, err := api.download(ctx, image.URL)
	if err != nil {
		return done, err
	}
	if sum := sha256.Sum256(bytes); hex.EncodeToString(sum[:]) != image.SHA256 {
		return done, fmt.Errorf("the picture is not the one that the ledger knows")
	}
	path, err := filepath.Abs(c.Out)
	if err != nil {
		return done, fmt.Errorf("save the picture: %w", err)
	}
	if err := os.WriteFile(path, bytes, 0o644); err != nil {
		return done, fmt.Errorf("save the picture: %w", err)
	}
	fmt.Fprintf(out, "5 picture %s, %d×%d, %d bytes, drawn by %s in %d ms, SHA-256 as in the ledger: %s\n",
		image.ID, image.Width, image.Height, len(bytes), done.Engine, done.GPUMillis, path)
	return done, nil
}

func (c *demoCmd) find(ctx context.Context, api *client, done demoGeneration, out io.Writer) error {
	var page struct{ Data []demoImage }
	if err := api.call(ctx, "GET", "/v1/images?limit=5&min_position="+api.position, nil, &page); err != nil {
		return err
	}
	if len(page.Data) == 0 || page.Data[0].ID != done.Images[0].ID {
		return fmt.Errorf("the picture is not in the gallery")
	}
	fmt.Fprintf(out, "6 gallery: %d image\n", len(page.Data))
	query := url.Values{"q": {c.Search}, "min_position": {api.position}}
	if err := api.call(ctx, "GET", "/v1/search?"+query.Encode(), nil, &page); err != nil {
		return err
	}
	if len(page.Data) == 0 || page.Data[0].ID != done.Images[0].ID {
		return fmt.Errorf("the search for %q does not find the picture", c.Search)
	}
	fmt.Fprintf(out, "7 search for %q: found\n", c.Search)
	return nil
}

func (c *demoCmd) explain(ctx context.Context, api *client, done demoGeneration, out io.Writer) error {
	s := done.Settlement
	fmt.Fprintf(out, "8 settlement: quoted %d, reserved now %d, charged %d, released %d\n",
		s.Quoted, s.Reserved, s.Settled, s.Released)
	for _, p := range s.Postings {
		fmt.Fprintf(out, "  %-8s %-30s %-10s %+d\n", p.Position, p.Event, p.Book, p.Amount)
	}
	var statement struct {
		Data []struct {
			Position, Kind string
			Amount         int64
			Before         int64 `json:"available_before"`
			After          int64 `json:"available_after"`
		}
	}
	if err := api.call(ctx, "GET", "/v1/statement?min_position="+api.position, nil, &statement); err != nil {
		return err
	}
	fmt.Fprintln(out, "9 statement, newest first:")
	for _, line := range statement.Data {
		fmt.Fprintf(out, "  %-8s %-9s %4d   available %d → %d\n",
			line.Position, line.Kind, line.Amount, line.Before, line.After)
	}
	return nil
}
