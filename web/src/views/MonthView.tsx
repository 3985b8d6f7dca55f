import { useStore } from "zustand";
import type { Funds } from "../api/schema";
import { Button } from "../ui/Button";
import { useApp, useT } from "../ui/context";
import { saveBlob } from "../ui/download";
import { controlLook, Field } from "../ui/Field";
import { DownloadIcon } from "../ui/icons";

/** Which month is shown, with its balances and totals. */
export function MonthView() {
  const t = useT();
  const { statement, api, notices } = useApp();
  const { months, month, summary, show } = useStore(statement);
  async function download() {
    try {
      saveBlob(await api.monthCsv(month), `statement-${month}.csv`);
    } catch (error) {
      notices.getState().fail(error);
    }
  }
  return (
    <div className="mb-6 flex flex-col gap-4">
      <div className="flex flex-wrap items-end gap-3">
        <Field label={t("statement.month")}>
          {(control) => (
            <select
              {...control}
              className={controlLook}
              value={month}
              onChange={(event) => void show(event.target.value)}
            >
              <option value="">{t("statement.month.all")}</option>
              {months.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        {month !== "" && (
          <Button onClick={() => void download()}>
            <DownloadIcon />
            {t("statement.csv")}
          </Button>
        )}
      </div>
      {summary && (
        <dl className="grid gap-3 text-sm sm:grid-cols-3" data-testid="month">
          <Balance label={t("statement.opening")} funds={summary.opening} />
          <Balance label={t("statement.closing")} funds={summary.closing} />
          <div>
            <dt className="text-muted">{t("statement.totals")}</dt>
            {summary.totals.map(({ kind, amount, lines }) => (
              <dd key={kind}>
                {t("statement.total", { kind: t.word("kind", kind), amount: t.number(amount), n: lines })}
              </dd>
            ))}
          </div>
        </dl>
      )}
    </div>
  );
}

function Balance({ label, funds }: { label: string; funds: Funds }) {
  const t = useT();
  const figures = { available: t.number(funds.available), reserved: t.number(funds.reserved) };
  return (
    <div>
      <dt className="text-muted">{label}</dt>
      <dd className="font-medium">{t("statement.balance", figures)}</dd>
    </div>
  );
}
