package api

import (
	"context"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/domain/settlement"
)

// ListPlans implements gen.StrictServerInterface.
func (s *Server) ListPlans(context.Context, gen.ListPlansRequestObject) (gen.ListPlansResponseObject, error) {
	plans := pricing.Plans()
	out := gen.PlanList{Data: make([]gen.Plan, len(plans))}
	for i, p := range plans {
		out.Data[i] = gen.Plan{
			Key: p.Key, Name: p.Name, Tier: gen.Tier(p.Tier), Credits: int64(p.Credits), MonthlyCents: p.MonthlyCents,
			AnnualDiscountPercent: int32(p.AnnualDiscountPercent), Slots: int32(p.Slots),
			CreditLine: int64(p.CreditLine),
		}
	}
	return gen.ListPlans200JSONResponse(out), nil
}

// ListModels implements gen.StrictServerInterface.
func (s *Server) ListModels(context.Context, gen.ListModelsRequestObject) (gen.ListModelsResponseObject, error) {
	book := pricing.Current()
	out := gen.ModelList{PriceBook: book.Version, Data: make([]gen.Model, len(book.Models))}
	for i, m := range book.Models {
		out.Data[i] = gen.Model{
			Key: m.Key, Name: m.Name, Pool: m.Pool, Operations: m.Operations, Size: toRange(m.Size),
			SizeStep: int32(m.SizeStep), Steps: toRange(m.Steps), Count: toRange(m.Count), Schedulers: m.Schedulers,
			Guidance: toNumbers(m.Guidance), NegativePrompt: m.NegativePrompt, PromptWeights: m.Weights,
			Strength: toNumbers(m.Strength),
			Loras:    gen.LoraOffer{Max: int32(m.LoRAs.Max), Weight: toNumbers(m.LoRAs.Weight), Keys: list(m.LoRAs.Keys)},
			Controls: toControls(m.Controls), UnitCredits: int64(m.UnitCredits), UnitMillis: m.UnitMillis,
		}
	}
	return gen.ListModels200JSONResponse(out), nil
}

// GetSettlementPolicy implements gen.StrictServerInterface.
func (s *Server) GetSettlementPolicy(
	context.Context, gen.GetSettlementPolicyRequestObject,
) (gen.GetSettlementPolicyResponseObject, error) {
	policy := settlement.Current()
	out := gen.SettlementPolicy{Version: policy.Version, Rules: make([]gen.SettlementRule, len(policy.Rules))}
	for i, r := range policy.Rules {
		out.Rules[i] = gen.SettlementRule{
			Terminal: string(r.Terminal), Stage: string(r.Stage), ShareBasisPoints: int32(r.Share), Why: r.Why,
		}
	}
	return gen.GetSettlementPolicy200JSONResponse(out), nil
}

func toRange(r pricing.Range) gen.IntRange {
	return gen.IntRange{Min: int32(r.Min), Max: int32(r.Max), Default: int32(r.Default)}
}

func toControls(c pricing.ControlOffer) gen.ControlOffer {
	out := gen.ControlOffer{
		Max: int32(c.Max), Weight: toNumbers(c.Weight), Percent: int32(c.Percent),
	}
	out.Kinds = list(out.Kinds)
	for _, k := range c.Kinds {
		out.Kinds = append(out.Kinds, struct {
			Key        string `json:"key"`
			Preprocess bool   `json:"preprocess"`
		}{k.Key, k.Preprocess})
	}
	return out
}

func toNumbers(r pricing.FloatRange) gen.NumberRange {
	return gen.NumberRange{Min: r.Min, Max: r.Max, Default: r.Default}
}
