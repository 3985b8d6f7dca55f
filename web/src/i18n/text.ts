const SHORT_CHARS = 60;

/** The beginning of a prompt, to name something by it. */
export function shortened(text: string, chars = SHORT_CHARS): string {
  const all = [...text];
  return all.length <= chars
    ? text
    : all
        .slice(0, chars - 1)
        .join("")
        .trimEnd() + "…";
}

const BYTE_UNITS = ["B", "kB", "MB"];

export function formatBytes(bytes: number, language: string): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(value)} ${BYTE_UNITS[unit]}`;
}
