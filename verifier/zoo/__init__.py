"""The line-up of networks made to be verified: trained, measured by every method that applies, shown on one page."""
