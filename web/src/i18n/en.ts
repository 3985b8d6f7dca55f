import { enCreate } from "./en-create";
import { enLook } from "./en-look";

export const en = { ...enCreate, ...enLook };
