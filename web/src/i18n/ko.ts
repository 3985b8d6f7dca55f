import type { en } from "./en";
import { koCreate } from "./ko-create";
import { koLook } from "./ko-look";
import { koOrder } from "./ko-order";

export const ko: Record<keyof typeof en, string> = { ...koCreate, ...koLook, ...koOrder };
