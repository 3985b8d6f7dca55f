package picture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Metadata is what our pictures say about how they were made.
type Metadata struct {
	Generation            string // id
	Engine, EngineVersion string
	Model                 string // key in the catalogue
	Prompt                string
	NegativePrompt        string
	Seed                  uint32
	Steps                 int
	Guidance              float64 // classifier-free guidance scale; 0 where the model has none
	Scheduler             string
	Width, Height         int // pixels
	CreatedAt             time.Time
}

// Strip removes all text and EXIF from a PNG, and whatever follows its end. The pixels keep their bytes.
// It returns ErrCorrupt.
func Strip(file []byte) ([]byte, error) {
	chunks, err := split(file)
	if err != nil {
		return nil, err
	}
	return join(slices.DeleteFunc(chunks, carriesText)), nil
}

// Annotate replaces all text and EXIF in a PNG by m: one iTXt chunk "pingvas:<field>" for each field that is not empty,
// and "parameters" in the form that other tools read. Same input, same bytes. It returns ErrCorrupt.
func Annotate(file []byte, m Metadata) ([]byte, error) {
	chunks, err := split(file)
	if err != nil {
		return nil, err
	}
	chunks = slices.DeleteFunc(chunks, carriesText)
	var texts []chunk
	for _, field := range m.fields() {
		if field[1] != "" {
			texts = append(texts, text(field[0], field[1]))
		}
	}
	return join(slices.Insert(chunks, 1, texts...)), nil
}

func carriesText(c chunk) bool {
	switch c.kind {
	case "tEXt", "zTXt", "iTXt", "eXIf":
		return true
	default:
		return false
	}
}

// fields returns names and values in the order in which they are written.
func (m Metadata) fields() [][2]string {
	created := ""
	if !m.CreatedAt.IsZero() {
		created = m.CreatedAt.UTC().Format(time.RFC3339)
	}
	return [][2]string{
		{"Software", "pingvas"},
		{"parameters", m.parameters()},
		{"pingvas:generation", m.Generation},
		{"pingvas:engine", m.Engine},
		{"pingvas:engine_version", m.EngineVersion},
		{"pingvas:model", m.Model},
		{"pingvas:prompt", m.Prompt},
		{"pingvas:negative_prompt", m.NegativePrompt},
		{"pingvas:seed", strconv.FormatUint(uint64(m.Seed), 10)},
		{"pingvas:steps", positive(m.Steps)},
		{"pingvas:guidance", m.guidance()},
		{"pingvas:scheduler", m.Scheduler},
		{"pingvas:width", positive(m.Width)},
		{"pingvas:height", positive(m.Height)},
		{"pingvas:created_at", created},
	}
}

// parameters is the text that image tools have agreed on: prompt, negative prompt, then "Name: value" pairs.
func (m Metadata) parameters() string {
	var b strings.Builder
	b.WriteString(m.Prompt)
	if m.NegativePrompt != "" {
		b.WriteString("\nNegative prompt: " + m.NegativePrompt)
	}
	size := ""
	if m.Width > 0 && m.Height > 0 {
		size = fmt.Sprintf("%dx%d", m.Width, m.Height)
	}
	separator := "\n"
	for _, pair := range [][2]string{
		{"Steps", positive(m.Steps)},
		{"Sampler", m.Scheduler},
		{"CFG scale", m.guidance()},
		{"Seed", strconv.FormatUint(uint64(m.Seed), 10)},
		{"Size", size},
		{"Model", m.Model},
		{"Version", strings.TrimSpace(m.Engine + " " + m.EngineVersion)},
	} {
		if pair[1] != "" {
			b.WriteString(separator + pair[0] + ": " + pair[1])
			separator = ", "
		}
	}
	return b.String()
}

func (m Metadata) guidance() string {
	if m.Guidance <= 0 {
		return ""
	}
	return strconv.FormatFloat(m.Guidance, 'g', -1, 64)
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// text makes an uncompressed iTXt chunk without language; NUL cannot be in its text, and it must be UTF-8.
func text(keyword, value string) chunk {
	value = strings.ReplaceAll(strings.ToValidUTF8(value, "\uFFFD"), "\x00", "\uFFFD")
	return newChunk("iTXt", []byte(keyword+"\x00\x00\x00\x00\x00"+value))
}
