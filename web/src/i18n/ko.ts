import type { en } from "./en";
import { koCreate } from "./ko-create";
import { koLook } from "./ko-look";

export const ko: Record<keyof typeof en, string> = { ...koCreate, ...koLook };
