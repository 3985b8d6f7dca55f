const POSITION = /^(\d{1,5}):(\d{1,18})$/;

/** Remembers the newest ledger position that this account's answers knew of, so that no later answer is older. */
export interface PositionKeeper {
  see(position: string | null): void;
  newest(): string | undefined;
  forget(): void;
}

export function createPositionKeeper(): PositionKeeper {
  let newest: string | undefined;
  return {
    see(position) {
      if (position !== null && POSITION.test(position) && isNewer(position, newest)) newest = position;
    },
    newest: () => newest,
    forget() {
      newest = undefined;
    },
  };
}

// An account lies in one shard for good; another shard means another account, whose position replaces the old one.
function isNewer(position: string, than: string | undefined): boolean {
  if (than === undefined) return true;
  const [shard, number] = split(position);
  const [oldShard, oldNumber] = split(than);
  return shard !== oldShard || number > oldNumber;
}

function split(position: string): [string, bigint] {
  const [shard = "", number = "0"] = position.split(":");
  return [shard, BigInt(number)];
}
