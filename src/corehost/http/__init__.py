"""What all of corehost's own pages share: requests, answers, and who may see details."""
