import type { Settlement } from "../api/schema";
import { useT } from "../ui/context";

const FIGURES = ["quoted", "reserved", "settled", "released"] as const;

/** What a generation cost and which postings in the ledger say so. */
export function SettlementView({ settlement }: { settlement: Settlement }) {
  const t = useT();
  return (
    <section aria-label={t("settlement.title")} className="flex flex-col gap-3" data-testid="settlement">
      <h3 className="text-sm font-semibold">{t("settlement.title")}</h3>
      <dl className="grid grid-cols-2 gap-2 text-sm sm:grid-cols-4">
        {FIGURES.map((name) => (
          <div key={name} className="rounded-lg bg-sunken px-3 py-2">
            <dt className="text-xs text-muted">{t(`settlement.${name}`)}</dt>
            <dd className="text-base font-semibold tabular-nums" data-figure={name}>
              {t.number(settlement[name])}
            </dd>
          </div>
        ))}
        {settlement.waived > 0 && (
          <div className="rounded-lg bg-sunken px-3 py-2">
            <dt className="text-xs text-muted">{t("settlement.waived")}</dt>
            <dd className="text-base font-semibold tabular-nums">{t.number(settlement.waived)}</dd>
          </div>
        )}
      </dl>
      <p className="text-xs text-muted">
        {t("settlement.basis", { book: settlement.price_book, policy: settlement.policy })}
      </p>
      <Postings settlement={settlement} />
    </section>
  );
}

function Postings({ settlement: { postings } }: { settlement: Settlement }) {
  const t = useT();
  if (postings.length === 0) return null;
  return (
    <details>
      <summary className="min-h-8 text-sm font-medium">
        {t("settlement.postings")} ({t.number(postings.length)})
      </summary>
      <table className="mt-2 w-full text-left text-xs">
        <thead className="text-muted">
          <tr>
            <th scope="col" className="py-1 pr-2 font-medium">
              {t("settlement.position")}
            </th>
            <th scope="col" className="py-1 pr-2 font-medium">
              {t("settlement.event")}
            </th>
            <th scope="col" className="py-1 pr-2 font-medium">
              {t("settlement.book")}
            </th>
            <th scope="col" className="py-1 text-right font-medium">
              {t("settlement.amount")}
            </th>
          </tr>
        </thead>
        <tbody>
          {postings.map((posting, index) => (
            // A position may hold several postings to one book, and the list never changes its order.
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={index} className="border-t border-line align-top">
              <td className="py-1 pr-2 tabular-nums">{posting.position}</td>
              <td className="py-1 pr-2 break-all">{posting.event}</td>
              <td className="py-1 pr-2">{t.word("book", posting.book)}</td>
              <td className="py-1 text-right tabular-nums">{t.signed(posting.amount)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
