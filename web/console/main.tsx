/**
 * The browser's entry: takes the token out of the address, then draws the page.
 *
 * @module
 */
import { createRoot } from "react-dom/client";
import { Page } from "./page.tsx";
import { tokenFromAddress } from "./token.ts";

tokenFromAddress();
createRoot(document.getElementById("page")!).render(<Page />);
