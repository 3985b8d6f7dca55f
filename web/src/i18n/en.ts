import { enCreate } from "./en-create";
import { enLook } from "./en-look";
import { enOrder } from "./en-order";

export const en = { ...enCreate, ...enLook, ...enOrder };
