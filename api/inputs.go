package api

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/queries"
)

// bring fills in what the request brings along, without the pictures themselves.
func bring(spec *generation.Spec, in *gen.GenerationRequest, model pricing.Model) {
	if in.Operation == nil && in.Source != nil {
		spec.Operation = pricing.OperationImageToImage
	}
	if in.Source != nil {
		spec.Source = named(*in.Source)
	}
	if in.Strength != nil {
		spec.Strength = *in.Strength
	} else if spec.Operation == pricing.OperationImageToImage {
		spec.Strength = model.Strength.Default
	}
	for _, l := range or(in.Loras) {
		spec.LoRAs = append(spec.LoRAs, pricing.LoRA{Key: l.Key, Weight: orElse(l.Weight, model.LoRAs.Weight.Default)})
	}
	for _, c := range or(in.Controls) {
		spec.Controls = append(spec.Controls, generation.Control{
			Control: pricing.Control{
				Kind: c.Kind, Preprocess: or(c.Preprocess), Weight: orElse(c.Weight, model.Controls.Weight.Default),
				Begin: or(c.Begin), End: orElse(c.End, 1),
			},
			Input: *named(c.Input),
		})
	}
	spec.Terms.Controls = len(spec.Controls)
}

func named(ref gen.InputRef) *generation.Input {
	return &generation.Input{Image: domain.ImageID(or(ref.Image)), Upload: domain.UploadID(or(ref.Upload))}
}

func orElse[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

// findInputs looks at the pictures that a request names and fills in what they are. It returns CodePicture with the
// field at fault, or an error without a code if it cannot be known.
func (s *Server) findInputs(ctx context.Context, spec *generation.Spec) error {
	if spec.Source != nil {
		if err := s.findInput(ctx, spec.Source, "/source"); err != nil {
			return err
		}
	}
	for i := range spec.Controls {
		if err := s.findInput(ctx, &spec.Controls[i].Input, fmt.Sprintf("/controls/%d/input", i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) findInput(ctx context.Context, in *generation.Input, field string) error {
	var err error
	if in.Image != "" {
		err = s.ownImage(ctx, in)
	} else {
		err = s.ownUpload(ctx, in)
	}
	switch domain.CodeOf(err) {
	case domain.CodeNotFound:
		return pictureError(field, "there is no such picture")
	case domain.CodePicture:
		return pictureError(field, err.(*domain.Error).Msg)
	}
	return err
}

func pictureError(field, what string) error {
	return &domain.Error{Code: domain.CodePicture, Msg: what, Field: field}
}

// ownImage finds an image of the caller's account.
func (s *Server) ownImage(ctx context.Context, in *generation.Input) error {
	found, _, err := s.queries.Image(ctx, queries.Read{Account: callOf(ctx).who.Account}, in.Image)
	if err != nil {
		return err
	}
	in.Key, in.ContentType, in.Bytes, in.SHA256 = found.Key, found.ContentType, found.Bytes, found.SHA256
	in.Width, in.Height = found.Width, found.Height
	return nil
}

// ownUpload looks at an upload of the caller's account: the account is a part of the key.
func (s *Server) ownUpload(ctx context.Context, in *generation.Input) error {
	key := generation.UploadKey(callOf(ctx).who.Account, in.Upload)
	found, err := s.pictures.Inspect(ctx, key)
	if err != nil {
		return err
	}
	in.Key, in.ContentType, in.Bytes, in.SHA256 = key, found.ContentType, found.Bytes, found.SHA256
	in.Width, in.Height = found.Width, found.Height
	return nil
}

// toInput shows which picture was named.
func toInput(in generation.Input) gen.InputRef {
	return gen.InputRef{Image: opt(string(in.Image)), Upload: opt(string(in.Upload))}
}

// showInputs adds to a shown request what it brings along.
func showInputs(out *gen.GenerationSpec, s generation.Spec) {
	if s.Source != nil {
		source := toInput(*s.Source)
		out.Source = &source
	}
	out.Strength = opt(s.Strength)
	if len(s.LoRAs) > 0 {
		loras := make([]gen.LoraRequest, len(s.LoRAs))
		for i, l := range s.LoRAs {
			loras[i] = gen.LoraRequest{Key: l.Key, Weight: &l.Weight}
		}
		out.Loras = &loras
	}
	if len(s.Controls) > 0 {
		controls := make([]gen.ControlRequest, len(s.Controls))
		for i, c := range s.Controls {
			controls[i] = gen.ControlRequest{
				Kind: c.Kind, Input: toInput(c.Input), Preprocess: &c.Preprocess, Weight: &c.Weight, Begin: &c.Begin, End: &c.End,
			}
		}
		out.Controls = &controls
	}
}
