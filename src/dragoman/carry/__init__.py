"""What must survive the change of protocols and of exchanges: tool names, call ids, vendors' signatures. Pure transforms on ir values."""
