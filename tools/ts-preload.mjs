// Lets Node 20 load TypeScript sources in the main thread and, unlike --import tsx, in worker threads too.
import { register } from "tsx/esm/api";

register();
