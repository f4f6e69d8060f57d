/**
 * The browser's entry of the SQL editor: takes the token out of the address, then draws the page.
 *
 * @module
 */
import { createRoot } from "react-dom/client";
import { SqlPage } from "./sql_page.tsx";
import { tokenFromAddress } from "./token.ts";

tokenFromAddress();
createRoot(document.getElementById("page")!).render(<SqlPage />);
