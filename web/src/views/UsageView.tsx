import { useEffect } from "react";
import { useStore } from "zustand";
import type { UsageGroup } from "../api/endpoints";
import type { UsageRow, UsageTotal } from "../api/schema";
import { useApp, useT, type Words } from "../ui/context";
import { controlLook, Field } from "../ui/Field";
import { ProblemNote } from "../ui/ProblemNote";

const GROUPS: UsageGroup[] = ["day", "model", "tier", "key"];

/** What was used, by one thing at a time, with the sum. */
export function UsageView() {
  const t = useT();
  const { usage } = useApp();
  const { groups, report, error, by, refresh } = useStore(usage);
  const group = groups[0] ?? "day";
  useEffect(() => void refresh(), [refresh]);
  return (
    <section aria-labelledby="usage-title" className="mt-10 flex flex-col gap-4">
      <h2 id="usage-title" className="text-lg font-semibold">
        {t("usage.title")}
      </h2>
      {error && <ProblemNote error={error} onRetry={() => void refresh()} />}
      <Field label={t("usage.by")} className="max-w-60">
        {(control) => (
          <select
            {...control}
            className={controlLook}
            value={group}
            onChange={(event) => void by([event.target.value as UsageGroup])}
          >
            {GROUPS.map((name) => (
              <option key={name} value={name}>
                {t(`usage.${name}`)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {report && (
        <table aria-labelledby="usage-title" className="w-full text-left text-sm tabular-nums">
          <thead>
            <tr className="text-muted">
              <th scope="col">{t(`usage.${group}`)}</th>
              <th scope="col">{t("usage.generations")}</th>
              <th scope="col">{t("usage.images")}</th>
              <th scope="col">{t("usage.credits")}</th>
            </tr>
          </thead>
          <tbody data-testid="usage">
            {report.data.map((row) => (
              <Row key={nameOf(t, row, group)} name={nameOf(t, row, group)} sum={row} />
            ))}
          </tbody>
          <tfoot className="border-t border-line font-medium">
            <Row name={t("usage.total")} sum={report.total} />
          </tfoot>
        </table>
      )}
    </section>
  );
}

function nameOf(t: Words, row: UsageRow, group: UsageGroup): string {
  const name = row[group];
  return name ? name : t("usage.key.none");
}

function Row({ name, sum }: { name: string; sum: UsageTotal }) {
  const t = useT();
  return (
    <tr>
      <th scope="row" className="py-1.5 font-normal break-all">
        {name}
      </th>
      <td>{t.number(sum.generations)}</td>
      <td>{t.number(sum.images)}</td>
      <td>{t.number(sum.credits)}</td>
    </tr>
  );
}
